"""Music out of Debian packages: what is unpacked, under which licence, and the windows that are cut out of it."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.errors import ConfigError
from stream.recognition.mel import WINDOW
from train.datasets import game_music
from train.datasets.game_music import MusicFile, read_music, unpack
from train.datasets.music_windows import MusicWindows

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2001 Somebody
License: GPL-2+
 A long text.

Files: music/slow.ogg
 music/other-*.ogg
Copyright: 2002 Somebody Else
License: CC-BY-SA-3.0

Files: share/sounds/*
License: GFDL-1.3
"""


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg")
def test_a_packages_music_is_unpacked(tmp_path: Path) -> None:
    """Music of 20 s and more comes out with the licence of its file, jingles and broken files do not, and is read."""
    build, out = tmp_path / "build", tmp_path / "out"
    music, doc = build / "usr/share/games/toy/music", build / "usr/share/doc/toy-music"
    for folder in (music, doc, build / "DEBIAN", out):
        folder.mkdir(parents=True)
    (build / "DEBIAN/control").write_text(
        "Package: toy-music\nVersion: 1-2\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: toy\n"
    )
    (doc / "copyright").write_text(COPYRIGHT)
    time = np.arange(8000 * 21) / 8000
    soundfile.write(music / "slow.ogg", np.sin(2 * np.pi * 200 * time) / 4, 8000)
    soundfile.write(music / "fast.flac", np.stack([np.sin(2 * np.pi * 300 * time) / 4] * 2, axis=1), 8000)
    soundfile.write(music / "jingle.ogg", np.zeros(8000), 8000)
    (music / "broken.ogg").write_bytes(b"OggS no more")
    with zipfile.ZipFile(music / "data.pk3", "w") as inner:
        inner.write(music / "slow.ogg", "music/other-one.ogg")
        inner.writestr("map.txt", "a map")
    subprocess.run(["dpkg-deb", "-Znone", "-b", build, tmp_path / "toy.deb"], check=True, capture_output=True)

    rows = unpack(tmp_path / "toy.deb", out, "toy-music", "1-2")
    assert rows == [
        MusicFile("toy-music/music_music_other-one.ogg", "toy-music", "1-2", 21.0, "CC-BY-SA-3.0"),
        MusicFile("toy-music/toy_music_fast.flac", "toy-music", "1-2", 21.0, "GPL-2+"),
        MusicFile("toy-music/toy_music_slow.ogg", "toy-music", "1-2", 21.0, "CC-BY-SA-3.0"),
    ]
    assert {path.name for path in (out / "toy-music").iterdir()} == {Path(row.path).name for row in rows}
    assert (out / "licences" / "toy-music").read_text() == COPYRIGHT
    game_music._write(out, rows)
    assert read_music(out) == rows

    windows = MusicWindows(out, seed=2)
    first = windows.audio(5)
    assert first.shape == (WINDOW,)
    assert first.std() == pytest.approx(0.25 / np.sqrt(2), rel=0.05)
    np.testing.assert_array_equal(first, MusicWindows(out, seed=2).audio(5))
    assert {windows.file(number).path for number in range(20)} == {row.path for row in rows}


def test_a_folder_without_a_manifest_is_told(tmp_path: Path) -> None:
    """Whoever has fetched nothing is told what makes the manifest."""
    with pytest.raises(ConfigError, match="`soloist train music` makes it"):
        read_music(tmp_path)
