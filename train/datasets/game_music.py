"""Music of free games that Debian packages: real music without labels, fetched with apt into a folder."""

from __future__ import annotations

import csv
import fnmatch
import io
import logging
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import IO, Final

import soundfile

from stream.errors import ConfigError, RuntimeMissingError

log = logging.getLogger(__name__)

PACKAGES: Final = (
    "drascula-music",
    "fb-music-high",
    "flare-game",
    "fretsonfire-songs-muldjord",
    "fretsonfire-songs-sectoid",
    "garden-of-coloured-lights-data",
    "hedgewars-data",
    "hyperrogue-music",
    "lincity-ng-data",
    "lugaru-data",
    "marsshooter-data",
    "naev-data",
    "nexuiz-music",
    "planetblupi-music-ogg",
    "singularity-music",
    "supertux-data",
    "tomatoes-data",
    "unknown-horizons",
    "warzone2100-music",
    "wesnoth-1.16-music",
)
"""About 1.5 GB to download. Larger ones with good music: 0ad-data, redeclipse-data, supertuxkart-data, ufoai-music."""

MANIFEST: Final = "music.csv"
_ENDINGS: Final = frozenset({".ogg", ".oga", ".opus", ".mp3", ".flac"})
_ARCHIVES: Final = frozenset({".pk3", ".zip"})  # what games keep their files in
_SHORTEST: Final = 20.0  # s; what is shorter is a sound of the game, or a jingle


@dataclass(frozen=True, slots=True)
class MusicFile:
    """One row of the manifest."""

    path: str
    """Relative to the folder."""
    package: str
    version: str
    seconds: float
    licence: str
    """As the package's copyright file names it for this file, or all that it names."""


def fetch_music(folder: Path, packages: Sequence[str] = PACKAGES) -> list[MusicFile]:
    """Download packages of Debian's main section, and unpack their music.

    What is there already stays, also when a later call is interrupted. Packages that the configured archives do not
    have, or that are not in main, are left out, and the log says so.

    Parameters
    ----------
    folder : Path
        Where to; made when absent.
    packages : sequence of str
        Their names.

    Returns
    -------
    list of MusicFile
        All that the folder holds now.

    Raises
    ------
    RuntimeMissingError
        If apt or dpkg is not there, or a download fails.
    ConfigError
        If the folder cannot be written.
    """
    if not all(map(shutil.which, ("apt-get", "apt-cache", "dpkg-deb"))):
        raise RuntimeMissingError("fetching music needs apt and dpkg: run it on Debian, or in a container of it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = read_music(folder) if (folder / MANIFEST).exists() else []
        for package in packages:
            version = _version_in_main(package)
            if version is None:
                log.warning("%s: not in the configured archives' main section, left out", package)
            elif not any((row.package, row.version) == (package, version) for row in rows):
                rows = [row for row in rows if row.package != package] + _fetch(folder, package, version)
                _write(folder, rows)
    except OSError as error:
        raise ConfigError(f"cannot write music into {folder}: {error}") from error
    return rows


def read_music(folder: Path) -> list[MusicFile]:
    """Read the manifest of a folder of music.

    Raises
    ------
    ConfigError
        If there is none, or it is no manifest.
    """
    try:
        with (folder / MANIFEST).open(newline="", encoding="utf-8") as file:
            return [
                MusicFile(row["path"], row["package"], row["version"], float(row["seconds"]), row["licence"])
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"no manifest {folder / MANIFEST}: {error}; `soloist train music` makes it") from error


def _write(folder: Path, rows: list[MusicFile]) -> None:
    part = folder / f"{MANIFEST}.part"
    with part.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [field.name for field in fields(MusicFile)])
        table.writeheader()
        table.writerows(asdict(row) for row in rows)
    part.replace(folder / MANIFEST)


def _version_in_main(package: str) -> str | None:
    """Version of a package that would be downloaded, if it is of the main section: only that is free software."""
    told = _output(["apt-cache", "show", "--no-all-versions", package])
    lines = dict(line.split(": ", 1) for line in told.splitlines() if ": " in line and not line.startswith(" "))
    return lines.get("Version") if lines.get("Filename", "").startswith("pool/main/") else None


def _fetch(folder: Path, package: str, version: str) -> list[MusicFile]:
    """Download one package, unpack its music, and remove the rest."""
    downloads = folder / "downloads"
    shutil.rmtree(downloads, ignore_errors=True)
    downloads.mkdir()
    log.info("%s %s", package, version)
    done = subprocess.run(
        ["apt-get", "download", f"{package}={version}"], cwd=downloads, capture_output=True, text=True, check=False
    )
    archive = next(downloads.glob("*.deb"), None)
    if done.returncode or archive is None:
        raise RuntimeMissingError(f"apt-get cannot download {package}: {done.stderr.strip()[-200:] or 'no file came'}")
    rows = unpack(archive, folder, package, version)
    shutil.rmtree(downloads)
    return rows


def unpack(archive: Path, folder: Path, package: str, version: str) -> list[MusicFile]:
    """Unpack the music of a Debian package, and its copyright file, in place of what is there of the package.

    Parameters
    ----------
    archive : Path
        The .deb file.
    folder : Path
        Where to: music into a folder of the package's name, the copyright file into `licences`.
    package, version : str
        What the archive is.

    Returns
    -------
    list of MusicFile
        Its files of 20 s and more that can be read.

    Raises
    ------
    OSError
        If something cannot be written.
    """
    shutil.rmtree(folder / package, ignore_errors=True)
    copyright_file = ""
    installed: dict[str, PurePosixPath] = {}
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as unpacking,
        tarfile.open(fileobj=unpacking.stdout, mode="r|") as content,
    ):
        for member in content:
            path = PurePosixPath(member.name)
            file = content.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            if path.name == "copyright" and path.parent.name == package:
                copyright_file = file.read().decode("utf-8", "replace")
            elif path.suffix.lower() in _ENDINGS:
                installed[_copy(file, folder / package, path)] = path
            elif path.suffix.lower() in _ARCHIVES:
                with zipfile.ZipFile(io.BytesIO(file.read())) as inner:
                    for name in inner.namelist():
                        if PurePosixPath(name).suffix.lower() in _ENDINGS:
                            with inner.open(name) as packed:
                                inside = path.parent / name
                                installed[_copy(packed, folder / package, inside)] = inside
    licences = _licences(copyright_file)
    rows = []
    for out in sorted((folder / package).glob("*")):
        seconds = _seconds(out)
        if seconds < _SHORTEST:
            out.unlink()
            continue
        licence = _licence_of(installed[out.name], licences)
        rows.append(MusicFile(f"{package}/{out.name}", package, version, round(seconds, 1), licence))
    if copyright_file:
        (folder / "licences").mkdir(exist_ok=True)
        (folder / "licences" / package).write_text(copyright_file, encoding="utf-8")
    return rows


def _copy(file: IO[bytes], folder: Path, path: PurePosixPath) -> str:
    """Write what was packed as `path` into a folder, under its last three names, and return what it is called there."""
    folder.mkdir(exist_ok=True)
    name = "_".join(path.parts[-3:])
    with (folder / name).open("wb") as copy:
        shutil.copyfileobj(file, copy)
    return name


def _seconds(path: Path) -> float:
    """Length of an audio file; 0 for what cannot be read."""
    try:
        return float(soundfile.info(path).duration)
    except (OSError, soundfile.LibsndfileError):
        return 0.0


def _licences(text: str) -> list[tuple[str, str]]:
    """Patterns of files and their licences, of a copyright file in Debian's machine-readable form."""
    found = []
    for stanza in text.replace("\r", "").split("\n\n"):
        lines: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in {" ", "\t"}:
                lines[name] = f"{lines.get(name, '')} {line.strip()}" if name != "License" else lines.get(name, "")
            else:
                name, _, value = line.partition(":")
                lines[name] = value.strip()
        if lines.get("License"):
            found += [(pattern, lines["License"]) for pattern in lines.get("Files", "").split()]
    return found


def _fits(path: PurePosixPath, pattern: str) -> bool:
    """Whether a pattern of the source may mean an installed file, of which only the last folders are the same."""
    parts = pattern.split("/")
    least = 2 if parts[-1].startswith("*") else 1
    tails = ("/".join(parts[-count:]) for count in range(least, len(parts) + 1))
    return pattern == "*" or any(fnmatch.fnmatch(f"/{path}", f"*/{tail}") for tail in tails)


def _licence_of(path: PurePosixPath, licences: list[tuple[str, str]]) -> str:
    """Licence of an installed file: that of the longest pattern that fits."""
    fitting = [(len(pattern), licence) for pattern, licence in licences if _fits(path, pattern)]
    return max(fitting)[1] if fitting else "; ".join(sorted({licence for _, licence in licences})) or "see licences/"


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
