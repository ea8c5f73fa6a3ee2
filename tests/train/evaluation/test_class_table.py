"""All classes that a model tells: line-up and the rest, a table of each, and embeddings of what it never heard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("tqdm", reason="needs the train extra")

from stream.recognition.mel import SAMPLE_RATE
from train.compose.unheard import Rendering
from train.datasets.clips import Clip
from train.evaluation.class_table import class_table, score_classes
from train.evaluation.clip_predictions import ClipPredictions
from train.evaluation.embedding_trial import embedding_table, try_embedding

LABELS = ("flute", "violin", "cello", "crowd")


def predictions(rows: Sequence[tuple[str, str, Sequence[float]]]) -> ClipPredictions:
    """Return what was told of clips, given by label, recording and probabilities."""
    clips = tuple(Clip(label, recording, "test", "", "", None, at) for at, (label, recording, _) in enumerate(rows))
    probabilities = np.array([row for _, _, row in rows])
    return ClipPredictions(LABELS, clips, probabilities, np.zeros(len(rows), bool), ())


HEARD = predictions(
    [
        ("flute", "a", (0.7, 0.1, 0.1, 0.1)),
        ("flute", "b", (0.1, 0.2, 0.6, 0.1)),
        ("cello", "c", (0.1, 0.5, 0.3, 0.1)),
        ("cello", "c", (0.0, 0.1, 0.8, 0.1)),
        ("cello", "c", (0.0, 0.0, 0.0, 0.0)),  # a steady tone, which no model judged
        ("tuba", "d", (0.9, 0.0, 0.1, 0.0)),
    ]
)


def test_every_class_has_its_row() -> None:
    """Recall, precision and what it is taken for, with counts; who has no clips is in no average, and named."""
    result = score_classes("held-out recordings", HEARD)
    assert result.average == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert result.strange == 1
    assert result.recordings == (2, 0, 1, 0)
    text = class_table(result, ("flute", "violin"))
    assert "class average 41.7 % over 2 classes, 5 clips; of the line-up 50.0 %, of the others 33.3 %" in text
    assert "no clips of violin, crowd" in text
    assert "| flute | 2 | 2 | 50.0 % (1) | 100.0 % | cello 1 |" in text
    assert "| cello | 3 | 1 | 33.3 % (1) | 50.0 % | violin 1, nothing 1 |" in text
    assert result.figures()["classes"]["cello"]["taken_for"] == {"violin": 1, "nothing": 1}


def test_line_up_puts_all_others_together() -> None:
    """Within a line-up the others' probabilities are those of unknown; a model of just the line-up stays as it is."""
    within = HEARD.within(("violin", "flute"))
    assert within.labels == ("violin", "flute", "unknown")
    np.testing.assert_allclose(within.probabilities[0], (0.1, 0.7, 0.2))
    np.testing.assert_allclose(within.probabilities[4], (0, 0, 1))
    assert within.within(("violin", "flute")) is within
    assert HEARD.within(LABELS) is HEARD


def renderings(shift: float) -> list[Rendering]:
    """Noise in five bands, the second font's `shift` Hz higher."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(5):
        for font, low in (("one", 300.0 * (number + 1)), ("two", 300.0 * (number + 1) + shift)):
            spectrum = np.fft.rfft(rng.normal(size=14 * SAMPLE_RATE))
            hertz = np.fft.rfftfreq(14 * SAMPLE_RATE, 1 / SAMPLE_RATE)
            sound = np.fft.irfft(np.where((hertz > low) & (hertz < low + 200), spectrum, 0)).astype(np.float32)
            found.append(Rendering(f"band {number}", font, sound))
    return found


def spectrum(window: np.ndarray) -> np.ndarray:
    """Power in bands of 100 Hz: an embedding that tells the bands apart."""
    power = np.square(np.abs(np.fft.rfft(window)))[:12000]
    return power.reshape(-1, 300).sum(axis=1)


def test_embedding_that_separates_finds_all_and_one_of_chance_finds_a_quarter() -> None:
    """The nearest prototype is right of 4, and of all, where recordings of one are alike; else it is a guess."""
    good = try_embedding("spectrum", spectrum, renderings(20.0))
    assert good.average == good.average_among_all == 1.0
    assert set(good.windows) == {8}  # of 14 s in windows of 2.972 s, both ways
    rng = np.random.default_rng(1)
    chance = try_embedding("chance", lambda _: rng.normal(size=8), renderings(20.0))
    assert 0.1 < chance.average < 0.45
    wrong = try_embedding("spectrum", spectrum, renderings(300.0))  # each sounds like the next
    assert wrong.average_among_all < 0.3
    table = embedding_table([good, chance])
    assert "| unheard instrument, right of 4 (of all 5) | spectrum | chance |" in table
    assert "| average, 40 windows | 100.0 % (100.0 %) |" in table
    assert "| band 3 | 100.0 % (8 of 8) |" in table
    assert good.figures()["average"] == 1.0
