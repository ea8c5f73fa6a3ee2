"""Another line-up than the recognizer's own, by its results."""

from __future__ import annotations

from typing import Any

from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.recognizer import Recognizer
from tests.support.stage import room, solo


def heard(recognizer: Recognizer, lineup: list[str], audio: Array) -> tuple[list[str | None], list[str | None]]:
    """Return what a recognizer names at each hop, and what another line-up does by its results."""
    naming = recognizer.naming(lineup)
    results = list(recognizer.feed(audio))
    return [it.estimate.label for it in results], [naming.name(it) for it in results]


def test_another_lineup_names_what_a_recognizer_with_it_does(
    classifier: Classifier, demo: Array, score: list[dict[str, Any]]
) -> None:
    """Hop by hop, through a rest; with the recognizer's own line-up it is what that names."""
    trumpet, rest = solo(demo, score, "trumpet")[: 6 * SAMPLE_RATE], room(1)[: 2 * SAMPLE_RATE, 0]
    audio = trumpet.copy()
    audio[3 * SAMPLE_RATE :][: len(rest)] = rest
    plan = ["trumpet", "violin"]
    own, named = heard(Recognizer(classifier, lineup=["violin"]), plan, audio)
    assert "trumpet" not in own
    expected, same = heard(Recognizer(classifier, lineup=plan), plan, audio)
    assert named == expected == same
    assert {"trumpet", None} <= set(named)
