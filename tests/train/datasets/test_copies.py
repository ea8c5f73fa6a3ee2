"""Splits are drawn of what can be used, and copies of a recording are that recording."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

pytest.importorskip("tqdm", reason="needs the train extra")

from stream.errors import ConfigError
from stream.recognition.mel import SAMPLE_RATE
from tests.support.data_set_files import sides, write_table
from train.datasets.corpus import Extraction, extract
from train.datasets.folder import read_folder
from train.datasets.manifest import read_manifest
from train.datasets.training_checks import require_clips

SECONDS = 2.0


def sound(number: int) -> np.ndarray:
    """A note with harmonics, breath and a decay of its own: all notes are of one instrument and two of one pitch."""
    rng = np.random.default_rng(number)
    time = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    hertz = 220 * 2 ** (number // 2 / 12)
    note = sum(np.sin(2 * np.pi * hertz * n * time + rng.uniform(0, 6)) / n for n in range(1, 8))
    breath = rng.normal(0, 0.3, len(time))
    return (0.1 * (note + breath) * np.exp(-time * rng.uniform(0.5, 2))).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = SAMPLE_RATE, **options: str) -> Path:
    """Write a file in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """Two classes of four recordings each."""
    for number in range(8):
        write(tmp_path / "stage" / ("high", "low")[number % 2] / f"{number}.wav", sound(number))
    return tmp_path / "stage"


def extracted(stage: Path, seed: int = 0) -> Extraction:
    """What can be used of a folder."""
    return extract(read_folder(stage, seed=seed), stage.parent / "cache", processes=1)


def recorded(extraction: Extraction) -> dict[str, set[str]]:
    """Files of each recording, by name."""
    found: dict[str, set[str]] = {}
    for clip in extraction.dataset.clips:
        found.setdefault(clip.recording, set()).add(clip.path.name)
    return found


def test_what_cannot_be_used_takes_no_place_in_a_split(stage: Path) -> None:
    """With broken and silent files beside them, the others are divided as they are without, and nobody lacks a test."""
    before = extracted(stage)
    for number in range(6):
        (stage / "low" / f"broken {number}.wav").write_bytes(b"RIFF, but nothing that follows")
        write(stage / "low" / f"silent {number}.wav", np.full(SAMPLE_RATE, 1e-6, np.float32))
    after = extracted(stage)
    assert len(after.skipped) == 12
    assert sides(after.dataset.clips) == sides(before.dataset.clips)
    assert {len(corpus) for corpus in after.corpora.values()} == {len(c) for c in before.corpora.values()}
    assert all(set(corpus.targets) == {0, 1} for corpus in after.corpora.values())


def test_class_of_which_nothing_is_left_is_named(stage: Path) -> None:
    """A class without usable recordings, and one whose files are all one recording, are told with their numbers."""
    for path in (stage / "low").iterdir():
        path.write_bytes(b"RIFF, but nothing that follows")
    for path in (stage / "high").iterdir():
        path.write_bytes((stage / "high" / "0.wav").read_bytes())
    extraction = extracted(stage)
    assert [len(files) for files in recorded(extraction).values()] == [4]
    with pytest.raises(ConfigError, match="of those that can be used, high has 1, low has none"):
        require_clips(extraction.dataset.labels, extraction.dataset.clips)


COPIES = {
    "the same file": lambda samples, home: write(home / "copy.wav", samples),
    "without loss": lambda samples, home: write(home / "copy.flac", samples, subtype="PCM_24"),
    "softer": lambda samples, home: write(home / "copy.wav", 0.2 * samples),
    "in stereo": lambda samples, home: write(home / "copy.wav", np.stack([samples, samples], axis=1)),
    "Vorbis": lambda samples, home: write(home / "copy.ogg", samples),
    "MP3": lambda samples, home: write(home / "copy.mp3", samples),
    "another rate": lambda samples, home: write(
        home / "copy.wav", soxr.resample(samples, SAMPLE_RATE, 48_000), rate=48_000
    ),
    "8 bits": lambda samples, home: write(home / "copy.wav", 4 * samples, subtype="PCM_U8"),
}


@pytest.mark.parametrize("way", COPIES)
def test_copies_are_one_recording(way: str, stage: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A copy under another name, in another format or at another level is of the same recording, and told once."""
    COPIES[way](sound(4), stage / "high")
    extraction = extracted(stage)
    copies = [files for files in recorded(extraction).values() if len(files) > 1]
    assert copies == [{"4.wav", next((stage / "high").glob("copy.*")).name}]
    sides(extraction.dataset.clips)
    told = [record.getMessage() for record in caplog.records if "is there again as" in record.getMessage()]
    assert len(told) == 1
    assert f"{stage / 'high' / '4.wav'}" in told[0]
    assert "contradict" not in told[0]


def test_copies_of_contradicting_classes_are_told(stage: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same sound in two classes is named with both, and is on one side."""
    write(stage / "low" / "same.flac", sound(2))
    extraction = extracted(stage)
    assert [files for files in recorded(extraction).values() if len(files) > 1] == [{"2.wav", "same.flac"}]
    sides(extraction.dataset.clips)
    assert "the labels contradict each other (high, low)" in caplog.text


def test_copies_join_the_evenings_that_hold_them(stage: Path) -> None:
    """Where an evening's folder holds a copy, all of the evening is on the side of the other copy."""
    for evening, number in (("monday", 20), ("monday", 22), ("tuesday", 22), ("tuesday", 24)):
        write(stage / "high" / evening / f"{number}.wav", sound(number))
    extraction = extracted(stage)
    assert {"20.wav", "22.wav", "24.wav"} in recorded(extraction).values()
    assert len(recorded(extraction)) == 9
    sides(extraction.dataset.clips)


def test_copies_on_given_sides_are_told(stage: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where a table gives the splits they stand, and a copy on another side is named with both."""
    shutil.copy(stage / "high" / "0.wav", stage / "high" / "copy.wav")
    rows = [
        {"path": str(path.relative_to(stage)), "label": path.parent.name, "split": split}
        for path, split in zip(sorted(stage.rglob("*.wav")), ["training", "validation", "test"] * 3, strict=True)
    ]
    dataset = read_manifest(write_table(stage / "clips.csv", rows))
    extraction = extract(dataset, stage.parent / "cache", processes=1)
    assert extraction.dataset.clips == dataset.clips
    assert "copy.wav" in caplog.text
    assert "figures will be better than they should be" in caplog.text
