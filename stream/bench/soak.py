"""Many hours of audio through one recognizer."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from stream.bench.demo_audio import demo_audio
from stream.bench.figures import Figures
from stream.bench.processes import resident_mb
from stream.errors import BenchError, ConfigError
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.settings import MODEL

_LEAST_ROUNDS: Final = 3


def soak(hours: float, model: str | None = None) -> Figures:
    """Let one recognizer hear many hours of the demo, as fast as it goes.

    Its labels in the last round must be those that a fresh recognizer tells in its second round.

    Parameters
    ----------
    hours : float
        Of audio; three rounds at least.
    model : str, optional
        Name or path of the model; the default one without it.

    Raises
    ------
    ConfigError
        When there are no such hours.
    BenchError
        When the labels differ.
    """
    if not 0 < hours < math.inf:
        raise ConfigError(f"--soak is {hours:g}; expected hours, more than 0")
    classifier = Classifier(bundle.load(model or MODEL))
    recognizer = Recognizer(classifier)
    audio = demo_audio()
    # Whole hops, so that every round has the same windows, and whole steps of the frames of mel-128.
    hop = math.lcm(round(recognizer.hop * SAMPLE_RATE), 441)
    audio = np.pad(audio, (0, -len(audio) % hop))
    rounds = max(_LEAST_ROUNDS, round(hours * 3600 * SAMPLE_RATE / len(audio)))
    fresh = Recognizer(classifier)
    _labels(fresh, audio)
    expected = _labels(fresh, audio)
    heard = _labels(recognizer, audio)
    before = resident_mb()
    for _ in range(rounds - 1):
        heard = _labels(recognizer, audio)
    growth = resident_mb() - before
    if heard != expected:
        raise BenchError("after the soak the labels differ from those of a fresh start")
    return {"soak_hours": rounds * len(audio) / SAMPLE_RATE / 3600, "soak_rss_growth_mb": growth}


def _labels(recognizer: Recognizer, audio: Array) -> list[tuple[str, str | None]]:
    """Return state and label of every hop of one round of the audio."""
    return [(result.estimate.state, result.estimate.label) for result in recognizer.feed(audio)]
