"""A folder per class as a data set."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("tqdm", reason="needs the train extra")

from stream.errors import ConfigError
from stream.recognition.mel import WINDOW
from tests.support.data_set_files import counts, sides, write_tone
from train.datasets.clips import SPLITS
from train.datasets.folder import read_folder


def class_folder(root: Path) -> Path:
    """Two classes of different files, one recording in both, and what is no audio."""
    for n in range(4):
        write_tone(root / "violin" / f"{n}.flac", 4 + n, 44_100, 2)
        write_tone(root / "flute" / f"{n}.ogg", 9)
    for part in ("a.wav", "disc 2/b.mp3"):
        write_tone(root / "violin" / "evening" / part, 7)
        write_tone(root / "flute" / "evening" / part, 7)
    write_tone(root / "violin" / ".hidden.wav", 3)
    write_tone(root / "violin" / ".cache" / "a.wav", 3)
    write_tone(root / ".trash" / "a.wav", 3)
    (root / "violin" / "notes.txt").write_text("mine")
    (root / "violin" / "broken.wav").write_bytes(b"RIFF")
    (root / "papers").mkdir()
    (root / "papers" / "scores.pdf").touch()
    return root


def test_folder_is_cut_and_split_by_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Files and sub-folders are recordings, one side each; hidden files and what is no audio are left aside."""
    data = read_folder(class_folder(tmp_path / "stage"))
    assert (data.name, data.labels, data.digest) == ("stage", ("flute", "violin"), "")
    assert {clip.path.suffix for clip in data.clips if clip.path} == {".flac", ".ogg", ".wav", ".mp3"}
    assert not [clip for clip in data.clips if "/." in str(clip.path)]
    found = sides(data.clips)
    evening = [clip for clip in data.clips if clip.recording == "folder evening"]
    assert len(evening) == 2 * 2 * 2
    assert {clip.label for clip in evening} == {"flute", "violin"}
    assert {f"file violin/{n}.flac" for n in range(4)} | {f"file flute/{n}.ogg" for n in range(4)} < found.keys()
    assert {(label, split) for label in data.labels for split in SPLITS} == counts(data).keys()
    broken = [clip for clip in data.clips if clip.path and clip.path.name == "broken.wav"]
    assert [clip.number for clip in broken] == [0]
    for clip in data.clips:
        if clip not in broken:
            assert data.audio(clip).shape == (WINDOW,)
    assert "papers holds no audio" in caplog.text


def test_folder_is_the_same_wherever_it_lies(tmp_path: Path) -> None:
    """A copy of a folder is divided as the original is."""
    first = read_folder(class_folder(tmp_path / "stage"), seed=3)
    shutil.copytree(tmp_path / "stage", tmp_path / "copy")
    assert sides(read_folder(tmp_path / "copy", seed=3).clips) == sides(first.clips)


def test_unknown_is_the_last_label(tmp_path: Path) -> None:
    """A folder named unknown gives the label that follows the instruments."""
    for name in ("violin", "unknown", "zither"):
        write_tone(tmp_path / name / "a.wav", 3)
    assert read_folder(tmp_path).labels == ("violin", "zither", "unknown")


def test_folder_without_two_classes_is_refused(tmp_path: Path) -> None:
    """No folder, no audio or a single class is an error that says what was found."""
    with pytest.raises(ConfigError, match="no folder"):
        read_folder(tmp_path / "gone")
    with pytest.raises(ConfigError, match="none does"):
        read_folder(tmp_path)
    write_tone(tmp_path / "violin" / "a.wav", 3)
    with pytest.raises(ConfigError, match="only 'violin' does"):
        read_folder(tmp_path)
