"""What happens to a sound on its way into a file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("pedalboard", reason="needs the train extra")

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose import effects
from train.compose.effects import Array, Rng

TONE = np.sin(2 * np.pi * 440 * np.arange(WINDOW) / SAMPLE_RATE).astype(np.float32) * np.float32(0.5)
IMPULSE = np.eye(1, WINDOW, 1000, dtype=np.float32)[0]


def spectrum(sound: Array) -> np.ndarray:
    """Magnitudes, of which bin k is k / 2.972 Hz."""
    return np.abs(np.fft.rfft(sound))


@pytest.mark.parametrize(
    "effect",
    [
        effects.amplifier,
        effects.blow_harder,
        effects.microphone_response,
        effects.feedback,
        effects.mixing_desk,
        effects.codec,
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_effect_keeps_length_and_stays_finite(effect: Callable[[Array, Rng], Array], seed: int) -> None:
    """Every effect gives as much sound as it gets, the same for the same seed, and leaves its input as it was."""
    before = TONE.copy()
    sound = effect(TONE, np.random.default_rng(seed))
    assert sound.shape == TONE.shape
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() > 1e-3
    np.testing.assert_array_equal(TONE, before)
    np.testing.assert_array_equal(sound, effect(TONE, np.random.default_rng(seed)))


def test_amplifier_adds_harmonics() -> None:
    """A driven sine has partials that it did not have."""
    driven = spectrum(effects.amplifier(TONE, np.random.default_rng(1)))
    fundamental = round(440 * WINDOW / SAMPLE_RATE)
    third = driven[3 * fundamental - 5 : 3 * fundamental + 6].max()
    assert third > 0.02 * driven[fundamental - 5 : fundamental + 6].max()
    assert spectrum(TONE)[3 * fundamental - 5 : 3 * fundamental + 6].max() < 1e-3 * spectrum(TONE).max()


@pytest.mark.parametrize("seed", range(8))
def test_hall_decays_and_its_highs_decay_first(seed: int) -> None:
    """What a hall answers gets quieter, and darker."""
    tail = effects.hall(np.random.default_rng(seed))
    assert 0.29 * SAMPLE_RATE < len(tail) < 3.51 * SAMPLE_RATE
    parts = [np.square(np.abs(np.fft.rfft(part))) for part in np.array_split(tail[len(tail) // 50 :], 3)]
    energies = [part.sum() for part in parts]
    assert energies[0] > 4 * energies[1] > 16 * energies[2]
    start = np.square(np.abs(np.fft.rfft(tail[len(tail) // 50 : len(tail) // 10])))
    first, last = (part[: len(part) // 8].sum() / part.sum() for part in (start, parts[2]))
    assert last > first


@pytest.mark.parametrize("seed", range(8))
def test_feedback_returns_later_and_dies_away(seed: int) -> None:
    """A click comes back from the loudspeaker after the loop's delay, again and again, and never before."""
    sound = effects.feedback(IMPULSE, np.random.default_rng(seed))
    assert abs(sound[1000]) > 0.5
    after = np.square(sound[1000 + int(0.004 * SAMPLE_RATE) :].astype(np.float64))
    assert after.sum() > 1e-3
    assert after[len(after) // 2 :].sum() < 0.5 * after.sum()


def test_codec_keeps_the_tune_but_not_the_bits() -> None:
    """A lossy codec changes a sound, though its pitch is still there; both codecs occur."""
    fundamental = round(440 * WINDOW / SAMPLE_RATE)
    lengths = set()
    for seed in range(6):
        sound = effects.codec(TONE, np.random.default_rng(seed))
        assert abs(int(spectrum(sound).argmax()) - fundamental) <= 1
        lengths.add(sound.tobytes())
    assert len(lengths) == 6


def test_microphone_hears_the_floor() -> None:
    """In most clips a reflection comes some milliseconds after the direct sound."""
    echoes = [effects.microphone_response(IMPULSE, np.random.default_rng(seed))[1006:1140] for seed in range(12)]
    assert sum(np.abs(echo).max() > 0.1 for echo in echoes) > 3


def test_silence_passes_through() -> None:
    """Silence stays silence, whatever is done to it, except for what an amplifier hisses."""
    nothing = np.zeros(WINDOW, np.float32)
    for effect in (effects.blow_harder, effects.microphone_response, effects.feedback, effects.mixing_desk):
        assert np.abs(effect(nothing, np.random.default_rng(2))).max() < 1e-6
