"""Several files at once through the live recognizer."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.errors import SourceError
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.service.offline import FileTimeline, classify
from stream.service.offline_pool import classify_all
from tests.support import tiny


@pytest.fixture
def files(tmp_path: Path, demo: Array) -> list[Path]:
    """Pieces of the demo, longer ones first, and between them one that is none."""
    paths = []
    for number, seconds in enumerate((12, 8, 4, 2, 1, 3)):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], demo[number * SAMPLE_RATE :][: seconds * SAMPLE_RATE], SAMPLE_RATE)
    paths.insert(2, tmp_path / "none.wav")
    paths[2].write_text("no sound")
    return paths


def test_what_is_heard_does_not_depend_on_how_many_are_heard_at_once(files: list[Path]) -> None:
    """In the order of the files, each as if it were alone; what cannot be read is told in its place."""
    made: list[int] = []

    def make() -> Classifier:
        made.append(threading.get_ident())
        return Classifier.load(tiny.INTEGER)

    told = list(classify_all(files, make, 3))
    assert 1 <= len(made) == len(set(made)) <= 3  # an interpreter for each thread
    assert isinstance(told.pop(2), SourceError)
    del files[2]
    classifier = Classifier.load(tiny.INTEGER)
    assert told == [classify(path, classifier) for path in files]
    assert list(classify_all([], make, 3)) == []


def test_who_has_had_enough_does_not_wait_for_the_rest(tmp_path: Path) -> None:
    """The files at work are left, and those that wait are not begun."""
    rng = np.random.default_rng(0)
    for number in range(6):
        noise = 0.1 * rng.standard_normal(600 * SAMPLE_RATE if number else SAMPLE_RATE)
        soundfile.write(tmp_path / f"{number}.wav", noise, SAMPLE_RATE)
    timelines = classify_all(sorted(tmp_path.iterdir()), lambda: Classifier.load(tiny.INTEGER), 2)
    first = next(timelines)
    assert isinstance(first, FileTimeline)
    assert first.seconds == 1
    timelines.close()
    assert not [it for it in threading.enumerate() if it.name.startswith("classify")]


def test_a_file_whose_rest_nobody_wants_ends_early(files: list[Path]) -> None:
    """Of such a file there is the beginning."""
    assert classify(files[0], Classifier.load(tiny.INTEGER), is_over=lambda: True).seconds == 1
