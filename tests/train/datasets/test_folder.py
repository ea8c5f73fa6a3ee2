"""A folder per class as a data set."""

from __future__ import annotations

import os
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
    data = read_folder(class_folder(tmp_path / "stage")).divided()
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
    first = read_folder(class_folder(tmp_path / "stage"), seed=3).divided()
    shutil.copytree(tmp_path / "stage", tmp_path / "copy")
    assert sides(read_folder(tmp_path / "copy", seed=3).divided().clips) == sides(first.clips)


def test_unknown_is_the_last_label(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Folders named unknown, in whatever letters, give the label that follows the instruments; the log says so."""
    for name in ("violin", "Unknown", "UNKNOWN ", "zither"):
        write_tone(tmp_path / name / "a.wav", 3)
    data = read_folder(tmp_path)
    assert data.labels == ("violin", "zither", "unknown")
    assert len({clip.recording for clip in data.clips if clip.label == "unknown"}) == 2
    assert "'Unknown' counts as unknown" in caplog.text
    assert "'UNKNOWN ' counts as unknown" in caplog.text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("vio\nlin", r"the label 'vio\\nlin' has U\+000A \(a control character\)"),
        ("vio\u200blin", r"has U\+200B \(ZERO WIDTH SPACE\)"),
        (b"vio\xfflin", r"has U\+DCFF \(a byte that is not UTF-8\)"),
        ("v" * 81, "a label has 1 to 80 characters, and this one has 81"),
        (" ", "a label has 1 to 80 characters, and this one has 0"),
        ("Flute", "'Flute' and 'flute' differ in nothing but capitals, blanks"),
        ("flute ", "'flute' and 'flute ' differ in nothing but"),
        ("\uff46lute", r"'flute' and '\\uff46lute' differ in nothing but"),
    ],
)
def test_folder_that_cannot_be_a_label_is_named(name: str | bytes, said: str, tmp_path: Path) -> None:
    """Before anything is read, a label that a model cannot have is refused, and one that is another's double."""
    write_tone(tmp_path / "flute" / "a.wav", 3)
    shutil.copytree(tmp_path / "flute", os.path.join(tmp_path, os.fsdecode(name)))
    with pytest.raises(ConfigError, match=said):
        read_folder(tmp_path)


def test_what_systems_leave_in_folders_is_no_class_and_no_recording(tmp_path: Path, caplog) -> None:
    """Finder's and Windows' files, the shadows of a Mac's archive, and audio outside of all classes are left aside."""
    for name in ("flute", "violin"):
        write_tone(tmp_path / name / "a.wav", 3)
        write_tone(tmp_path / name / "._a.wav", 3)
        (tmp_path / name / ".DS_Store").touch()
        (tmp_path / name / "Thumbs.db").touch()
        write_tone(tmp_path / "__MACOSX" / name / "._a.wav", 3)
    write_tone(tmp_path / "loose.wav", 3)
    data = read_folder(tmp_path)
    assert [str(clip.path.relative_to(tmp_path)) for clip in data.clips] == ["flute/a.wav", "violin/a.wav"]
    assert "__MACOSX holds no audio and is left aside" in caplog.text
    assert "loose.wav" in caplog.text


def test_letters_with_accents_have_one_form(tmp_path: Path) -> None:
    """A Mac may write an accent as a letter of its own: the label has it in the form that others write."""
    for name in ("ce\u0301leste", "flute"):
        write_tone(tmp_path / name / "a.wav", 3)
    assert read_folder(tmp_path).labels == ("c\u00e9leste", "flute")


def test_names_of_folders_are_labels_in_one_form(tmp_path: Path) -> None:
    """A folder that macOS named is the class that is written elsewhere, and a comma is a part of a name."""
    for name in ("Flo\u0308te", "guitar, distorted"):
        write_tone(tmp_path / name / "a.wav", 440.0)
    assert read_folder(tmp_path).labels == ("Fl\u00f6te", "guitar, distorted")


def test_folder_without_two_classes_is_refused(tmp_path: Path) -> None:
    """No folder, no audio or a single class is an error that says what was found."""
    with pytest.raises(ConfigError, match="no folder"):
        read_folder(tmp_path / "gone")
    with pytest.raises(ConfigError, match="none does"):
        read_folder(tmp_path)
    write_tone(tmp_path / "violin" / "a.wav", 3)
    with pytest.raises(ConfigError, match="only 'violin' does"):
        read_folder(tmp_path)
