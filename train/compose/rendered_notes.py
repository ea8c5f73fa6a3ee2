"""Notes for a pack's thin instruments, rendered with FluidSynth from sound fonts that Debian packages."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from stream.errors import ConfigError, RuntimeMissingError, SourceError
from stream.recognition.mel import SAMPLE_RATE
from train.compose import fluidsynth
from train.compose.sound_fonts import BEYOND_FONTS, FONTS, PROGRAM_NOTES, ProgramNotes, SoundFont

log = logging.getLogger(__name__)

_HELD: Final = 2.5  # s a key is down
_SLOT: Final = 3.7  # s from one key to the next: whatever still rings then is cut
_FADE: Final = 0.03  # s of fading before that
_NOTES_PER_RUN: Final = 150  # notes in one run of FluidSynth, which takes 8 s to load a compressed font
_PEAK: Final = 0.7  # as everything in the pack
_SILENT: Final = 1e-4  # a rendering that never gets louder holds nothing
_AUDIBLE: Final = 10 ** (-50 / 20)  # of the peak: what is trimmed at both ends is softer
_SHORTEST: Final = 0.1  # s
_STATE: Final = "rendered.json"
_COLUMNS: Final = ["path", "instrument", "source", "original", "midi", "seconds", "licence"]


_Audio = npt.NDArray[np.float64]
_Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class RenderedSource:
    """What a pack holds of one font."""

    source: str
    notes: int
    silent: int
    """Notes that the font has no sound for."""
    fresh: bool
    """Whether they were rendered now, and not before."""

    def __str__(self) -> str:
        """Say it in one line."""
        done = "rendered" if self.fresh else "already there"
        return f"{self.source}: {self.notes} notes {done}" + (
            f", {self.silent} silent ones skipped" * bool(self.silent)
        )


def render_pack(
    data: Path, out: Path, fonts: Sequence[SoundFont] = FONTS, parts: Sequence[ProgramNotes] = PROGRAM_NOTES
) -> tuple[RenderedSource, ...]:
    """Make a pack of another one and of rendered notes.

    What is there already stays, so a second call does nothing. The notes are the same on every call; only the serial
    number that libsndfile gives an Ogg stream is not.

    Parameters
    ----------
    data : Path
        The pack, which is left as it is: its training folders and rooms are linked, its validation clips are not.
    out : Path
        The new pack: nothing yet, an empty folder or one that was made by this function.
    fonts : sequence of SoundFont
        What to render from. Notes of other fonts that are in `out` already stay there.
    parts : sequence of ProgramNotes
        What to render.

    Returns
    -------
    tuple of RenderedSource
        One for each font.

    Raises
    ------
    SourceError
        If `data` has no manifest, or one with other columns.
    ConfigError
        If `out` is something else, or `data` has rendered notes itself.
    RuntimeMissingError
        If FluidSynth or a font is not installed, or FluidSynth fails.
    """
    original, table = _manifest(data)
    if strange := {font.source for font in FONTS + BEYOND_FONTS} & {row["source"] for row in original}:
        raise ConfigError(f"{data} holds rendered notes already ({', '.join(sorted(strange))}): name the pack without")
    state, rows = _state(out)
    plans = {font.source: _plan(font, parts) for font in fonts}
    stale = [font for font in fonts if state.get(font.source, {}).get("plan") != plans[font.source]]
    _require(stale)
    _link(data, out, [Path(row["path"]).parent for row in original] + [Path("songs"), Path("songs.csv")])
    for font in stale:
        rows[font.source], silent = _render_font(font, parts, out, rows.get(font.source, []))
        state[font.source] = {"plan": plans[font.source], "silent": silent}
    added = [row for source in sorted(rows) for row in rows[source]]
    _write(out / "training.csv", table + _lines(added))
    _write(out / _STATE, (json.dumps(state, indent=1, sort_keys=True) + "\n").encode())
    return tuple(
        RenderedSource(font.source, len(rows[font.source]), int(str(state[font.source]["silent"])), font in stale)
        for font in fonts
    )


def summarise_pack(out: Path) -> str:
    """Count the notes and seconds of every instrument and rendered source of a pack, one line for each."""
    _, rows = _state(out)
    notes: Counter[tuple[str, str]] = Counter()
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    for row in (row for source in rows.values() for row in source):
        key = row["instrument"], row["source"]
        notes[key] += 1
        seconds[key] += float(row["seconds"])
    return "\n".join(
        f"{name:26} {source:18} {notes[name, source]:5} {seconds[name, source]:8.1f} s"
        for name, source in sorted(notes)
    )


@dataclass(frozen=True, slots=True)
class _Note:
    """One rendering."""

    part: ProgramNotes
    key: int
    velocity: int
    chord: tuple[int, ...]

    def original(self, font: SoundFont) -> str:
        keys = "+".join(str(self.key + interval) for interval in self.chord)
        return f"{font.file.stem} {self.part.program:03} {self.part.name} {keys} velocity {self.velocity}"


def _notes(font: SoundFont, parts: Sequence[ProgramNotes]) -> list[_Note]:
    return [
        _Note(part, key, velocity, chord)
        for part in parts
        if part.program in font.programs
        for chord in part.chords
        for velocity in part.velocities
        for key in range(part.low, part.high + 1, part.step)
    ]


def _path(note: _Note, font: SoundFont) -> str:
    """Name a note's file, relative to the pack, by all that determines the note."""
    told = f"{font.source} {note.original(font)} {_HELD} {_SLOT} {_PEAK}"
    name = hashlib.sha256(told.encode()).hexdigest()[:10]
    return f"training/{note.part.instrument.replace(' ', '_')}/{font.source}/{name}.ogg"


def _plan(font: SoundFont, parts: Sequence[ProgramNotes]) -> str:
    """Digest of all that is to be rendered of a font."""
    plan = [font.licence, *(_path(note, font) for note in _notes(font, parts))]
    return hashlib.sha256(json.dumps(plan).encode()).hexdigest()[:16]


def _require(fonts: Sequence[SoundFont]) -> None:
    if fonts and shutil.which("fluidsynth") is None:
        raise RuntimeMissingError("rendering needs the fluidsynth command; install the Debian package fluidsynth")
    for font in fonts:
        if not font.file.is_file():
            raise RuntimeMissingError(f"there is no sound font {font.file}; install the Debian package {font.package}")


def _manifest(data: Path) -> tuple[list[_Row], bytes]:
    """Rows of a pack's table, and the table itself, to be kept byte for byte."""
    table = data / "training.csv"
    try:
        content = table.read_bytes()
        reader = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
        rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"cannot read {table}: {error}") from error
    if reader.fieldnames != _COLUMNS:
        raise SourceError(f"{table} has the columns {reader.fieldnames}; expected {_COLUMNS}")
    return rows, content if content.endswith(b"\n") else content + b"\n"


def _state(out: Path) -> tuple[dict[str, dict[str, object]], dict[str, list[_Row]]]:
    """Read what was rendered into a folder, and its rows by source."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return {}, {}
    try:
        state = json.loads((out / _STATE).read_bytes())
        rows, _ = _manifest(out)
    except (OSError, ValueError, SourceError) as error:
        raise ConfigError(f"{out} exists and is no pack with rendered notes: name another folder") from error
    return state, {source: [row for row in rows if row["source"] == source] for source in state}


def _link(data: Path, out: Path, paths: Sequence[Path]) -> None:
    """Link every folder and file that is there, where no right link is yet."""
    for path in sorted(set(paths)):
        link, target = out / path, (data / path).resolve()
        if not target.exists() or (link.is_symlink() and link.resolve() == target):
            continue
        link.unlink(missing_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)


def _render_font(
    font: SoundFont, parts: Sequence[ProgramNotes], out: Path, before: Sequence[_Row]
) -> tuple[list[_Row], int]:
    """Write a font's notes that are not there yet, and return the rows of all and how many were silent."""
    notes = {_path(note, font): note for note in _notes(font, parts)}
    rows = {row["path"]: row for row in before if row["path"] in notes and (out / row["path"]).is_file()}
    missing = [(path, note) for path, note in notes.items() if path not in rows]
    for first in range(0, len(missing), _NOTES_PER_RUN):
        some = missing[first : first + _NOTES_PER_RUN]
        for (path, note), sound in zip(some, _render_notes(font, [note for _, note in some]), strict=True):
            if len(sound):
                rows[path] = _save(path, note, sound, font, out)
        log.info("%s: %d of %d notes", font.source, first + len(some), len(missing))
    for row in before:
        if row["path"] not in rows:
            (out / row["path"]).unlink(missing_ok=True)
    return [rows[path] for path in notes if path in rows], len(notes) - len(rows)


def _render_notes(font: SoundFont, notes: Sequence[_Note]) -> Iterator[_Audio]:
    """Render notes in a row; yield each alone at `SAMPLE_RATE`, trimmed, nothing for a silent one."""
    track = fluidsynth.MidiTrack(notes[0].part.program)
    for place, note in enumerate(notes):
        start = place * _SLOT
        track.send(start, "program_change", program=note.part.program)
        for interval in note.chord:
            track.note(start, start + _HELD, note.key + interval, note.velocity)
        track.control(start + _SLOT - _FADE / 3, 120, 0)  # all sound off
    whole = fluidsynth.render_tracks([track], len(notes) * _SLOT, font.file)
    size = round(_SLOT * SAMPLE_RATE)
    mono = soxr.resample(whole, fluidsynth.RATE, SAMPLE_RATE)
    fade = round(_FADE * SAMPLE_RATE)
    for place in range(len(notes)):
        slot = mono[place * size : (place + 1) * size].copy()
        slot[-fade:] *= np.clip(np.linspace(1.0, -0.5, min(fade, len(slot))), 0, 1)
        yield _trimmed(slot)


def _trimmed(sound: _Audio) -> _Audio:
    """Cut silence at both ends and level the peak; nothing where no sound is left."""
    loudness = np.abs(sound)
    peak = loudness.max()
    if peak < _SILENT:
        return sound[:0]
    heard = np.flatnonzero(loudness > peak * _AUDIBLE)
    kept = sound[heard[0] : heard[-1] + 1]
    return kept * (_PEAK / peak) if len(kept) >= _SHORTEST * SAMPLE_RATE else sound[:0]


def _save(path: str, note: _Note, sound: _Audio, font: SoundFont, out: Path) -> _Row:
    """Write a note as Ogg Vorbis, and return its row."""
    (out / path).parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(out / path, "w", SAMPLE_RATE, 1, format="OGG", subtype="VORBIS") as file:
        # libsndfile puts a whole call on the stack when it encodes Vorbis, so it gets a second at a time.
        for block in np.split(sound, range(SAMPLE_RATE, len(sound), SAMPLE_RATE)):
            file.write(block)
    seconds = f"{len(sound) / SAMPLE_RATE:.3f}"
    cells = (path, note.part.instrument, font.source, note.original(font), f"{note.key:.1f}", seconds, font.licence)
    return dict(zip(_COLUMNS, cells, strict=True))


def _lines(rows: Sequence[_Row]) -> bytes:
    text = io.StringIO(newline="")
    csv.DictWriter(text, _COLUMNS, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _write(path: Path, content: bytes) -> None:
    """Replace a file at once, unless it holds just this."""
    if not path.exists() or path.read_bytes() != content:
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(content)
        part.replace(path)
