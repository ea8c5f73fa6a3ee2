"""Steady tones are no instrument, and held notes are no tones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.recognition.classifier import Classifier
from stream.recognition.mel import HOP_LENGTH, SAMPLE_RATE, WINDOW, Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.results import Estimate
from stream.recognition.tone import ToneDetector

HOP = 11 * HOP_LENGTH
TIME = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
LINE_UP = 0.1 * np.sqrt(2)
"""Amplitude of a sine at -20 dBFS."""


def sine(frequency: float, amplitude: float | Array = LINE_UP) -> Array:
    """Five seconds of a sine."""
    return np.asarray(amplitude * np.sin(2 * np.pi * frequency * TIME), np.float32)


def noise(rms: float) -> Array:
    """Five seconds of white noise."""
    return np.asarray(rms * np.random.default_rng(0).standard_normal(len(TIME)), np.float32)


def partials(fundamental: float, numbers: Sequence[int]) -> Array:
    """Sum partials that fall as 1/n, as far as the band reaches: a square or a saw, or hum."""
    parts = [sine(fundamental * n, LINE_UP / n) for n in numbers if fundamental * n < SAMPLE_RATE / 2]
    return np.asarray(np.sum(parts, axis=0), np.float32)


def heard(classifier: Classifier, audio: Array) -> list[Estimate]:
    """Return what a recognizer says of audio from the first full window to the end."""
    recognizer = Recognizer(classifier)
    results = [*recognizer.feed(audio), *recognizer.finish()]
    return [result.estimate for result in results if result.estimate.state != "warming"]


TONES: dict[str, Callable[[], Array]] = {
    "440 Hz": lambda: sine(440),
    "400 Hz": lambda: sine(400),
    "1 kHz": lambda: sine(1000),
    "1320 Hz": lambda: sine(1320),
    "2.5 kHz, quiet": lambda: sine(2500, 0.001),
    "of a desk, in a room": lambda: sine(440) + noise(0.1 * 10 ** (-30 / 20)),
    "in a loud room": lambda: sine(440) + noise(0.1 * 10 ** (-15 / 20)),
    "feedback in a loud room": lambda: sine(2500) + noise(0.1 * 10 ** (-16 / 20)),
    "feedback that grows": lambda: sine(1250, np.minimum(5e-4 * 10 ** (TIME * 8 / 20), 0.3)) + noise(1e-4),
    "feedback that grows fast": lambda: sine(820, np.minimum(5e-4 * 10 ** (TIME * 25 / 20), 0.3)) + noise(1e-4),
    "two": lambda: (sine(440) + sine(1000)) / 2,
    "a square": lambda: partials(100, range(1, 111, 2)),
    "a saw": lambda: partials(220, range(1, 51)),
    "hum": lambda: partials(50, range(1, 12)),
    "a sweep": lambda: np.asarray(
        LINE_UP * np.sin(2 * np.pi * 220 * np.cumsum(2 ** (TIME / 2)) / SAMPLE_RATE), np.float32
    ),
    "a siren": lambda: np.asarray(
        LINE_UP * np.sin(2 * np.pi * 700 * TIME - 80 * np.cos(2 * np.pi * TIME / 2)), np.float32
    ),
    "that swells and fades": lambda: sine(440, LINE_UP * (1 + 0.3 * np.sin(2 * np.pi * 4 * TIME))),
    "that names its channel": lambda: sine(1000, LINE_UP * ((TIME % 3) > 0.25)),
    "after silence": lambda: sine(440, LINE_UP * (TIME > 2)),
    "before silence": lambda: sine(440, LINE_UP * (TIME < 4)),
    "shorter than a window": lambda: sine(1320)[: 2 * SAMPLE_RATE],
}


@pytest.mark.parametrize("name", TONES)
def test_a_steady_tone_is_no_instrument(classifier: Classifier, name: str) -> None:
    """Of line-up tones, feedback and hum every hop is unknown, or silence where they are over."""
    hops = heard(classifier, TONES[name]())
    assert {hop.state for hop in hops} <= {"unknown", "silence"}
    assert hops[0].state == "unknown" or name == "after silence"
    assert all(hop.confidence == 1 - sum(hop.probabilities.values()) for hop in hops if hop.state == "unknown")


def is_tone(audio: Array) -> list[bool]:
    """Return what the detector says hop by hop, once a second of the audio was heard."""
    detector = ToneDetector()
    ends = range(HOP, len(audio) + 1, HOP)
    told = [detector.update(audio[max(0, end - WINDOW) : end], None, end) for end in ends]
    return [tone for tone, end in zip(told, ends, strict=True) if end > SAMPLE_RATE]


@given(frequency=st.floats(60, 10_000), level=st.floats(-60, -3), phase=st.floats(0, 6.2), snr=st.floats(30, 90))
@settings(max_examples=40)
def test_any_sine_is_a_tone(frequency: float, level: float, phase: float, snr: float) -> None:
    """Whatever its pitch, level and phase, and with noise 30 dB below it, a sine is a tone after a second."""
    rms = 10 ** (level / 20) / np.sqrt(2)
    audio = 10 ** (level / 20) * np.sin(2 * np.pi * frequency * TIME[: 2 * SAMPLE_RATE] + phase)
    assert all(is_tone(np.asarray(audio + noise(rms * 10 ** (-snr / 20))[: len(audio)], np.float32)))


def note(pitch: float | Array, strength: float | Array = LINE_UP) -> Array:
    """A note as poor in overtones as the poorest recorded ones: all of them 26 dB below it, and breath 40 dB below."""
    phase = 2 * np.pi * np.cumsum(pitch * np.ones(len(TIME))) / SAMPLE_RATE
    tone = strength * (np.sin(phase) + 0.05 * np.sin(2 * phase))
    return np.asarray(tone + noise(0.001), np.float32)


NOTES: dict[str, Callable[[], Array]] = {
    "a flute with hardly any vibrato": lambda: note(880 * 2 ** (3 / 1200 * np.sin(2 * np.pi * 5 * TIME))),
    "a bar that dies away": lambda: note(2093, 0.3 * 10 ** (-TIME * 3 / 20)),
    "a whistle whose breath flutters": lambda: note(1760, LINE_UP * (1 + 0.06 * np.sin(2 * np.pi * 4 * TIME))),
    "a glide": lambda: note(440 * 2 ** (TIME / 100)),
    "noise": lambda: noise(0.1),
    "nothing": lambda: np.zeros(len(TIME), np.float32),
    "direct current": lambda: np.full(len(TIME), 0.2, np.float32) + noise(1e-4),
}


@pytest.mark.parametrize("name", NOTES)
def test_what_moves_is_no_tone(name: str) -> None:
    """A partial whose pitch or strength moves as a player's does, or that dies away, is left to the model."""
    assert not any(is_tone(NOTES[name]()))


def test_a_tone_ends_when_something_else_is_heard(classifier: Classifier, demo: Array) -> None:
    """A player who comes after a tone, or over it, is named as soon as without it."""
    piano = demo[: 4 * SAMPLE_RATE]
    after = heard(classifier, np.concatenate([sine(1000), piano]))
    assert [hop.state for hop in after[:8]] == ["unknown"] * 8
    first = next(hop.time for hop in after if hop.label == "piano")
    assert first < 5 + 2.5
    over = np.concatenate([sine(1000, LINE_UP / 30), piano + sine(1000, LINE_UP / 30)[: len(piano)]])
    assert "piano" in {hop.label for hop in heard(classifier, over)}


def test_the_demo_has_no_tone(demo: Array) -> None:
    """No hop of the demo is a tone, though its notes are those of a sound font."""
    assert not any(is_tone(demo))


def test_blocks_do_not_matter_to_a_tone(classifier: Classifier) -> None:
    """A tone with gaps is told alike whatever blocks it comes in."""
    audio = np.concatenate([sine(1000, LINE_UP * ((TIME % 2) > 0.25)), noise(0.05)])
    whole = [result.estimate for result in Recognizer(classifier).feed(audio)]
    recognizer = Recognizer(classifier)
    parts = itertools.chain.from_iterable(recognizer.feed(audio[at : at + 777]) for at in range(0, len(audio), 777))
    assert [result.estimate for result in parts] == whole


def test_real_solos_are_no_tones(shared: Path) -> None:
    """Of real solos of all eight instruments no hop is taken for a tone."""
    import soundfile
    import soxr

    files = sorted((shared / "validation").glob("*.flac"))[::3]
    assert len(files) > 30
    for file in files:
        audio, rate = soundfile.read(file, dtype="float32")
        assert not any(is_tone(soxr.resample(audio, rate, SAMPLE_RATE))), file.name
