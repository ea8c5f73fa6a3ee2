"""Which channel is heard: the average of all, or one that the average would hide."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stream.audio.channel_mixer import ChannelMixer
from stream.audio.converter import Converter
from stream.recognition.mel import Array
from stream.recognition.settings import GATE

RATE = 8_000


def tone(seconds: float, hertz: float = 220.0, level: float = 0.3) -> Array:
    """Return a tone with a decay in each half second, like notes."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.exp(-2 * (time % 0.5)) * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def noise(seconds: float, level: float, seed: int = 0) -> Array:
    """Return noise of an RMS level, 1 being full scale."""
    made = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (level * made).astype(np.float32)


def mixed(*channels: Array, size: int = RATE, gate: float = GATE) -> tuple[ChannelMixer, Array]:
    """Mix channels in blocks of a size."""
    frames = np.stack(channels, axis=1)
    mixer = ChannelMixer(RATE, len(channels), gate)
    return mixer, np.concatenate([mixer(frames[start : start + size]) for start in range(0, len(frames), size)])


def test_stereo_is_averaged_as_ever() -> None:
    """Whatever stereo holds that does not cancel - unrelated, panned, wide, late - is the plain mean, bit for bit."""
    mid, side = tone(6, 220), noise(6, 0.1)
    late = np.concatenate([np.zeros(37, np.float32), side[:-37]])
    for pair in (
        (mid, side),
        (mid, mid),
        (mid, np.zeros_like(mid)),
        (mid + side, mid - side),
        (0.3 * mid + side, 0.3 * mid - side),
        (side, late),
        (mid + side, 0.5 * mid + noise(6, 0.1, seed=1)),
        (side, -0.4 * side),
    ):
        mixer, mono = mixed(*pair)
        assert mixer.stretches == []
        np.testing.assert_array_equal(mono, np.stack(pair, axis=1).mean(axis=1, dtype=np.float32))


CANCELLING = {
    "inverse": lambda x: (x, -x),
    "balanced": lambda x: (x + noise(4, 1e-4), -0.995 * x + noise(4, 1e-4, seed=1)),
    "offsets": lambda x: (x + np.float32(0.1), -0.9 * x - np.float32(0.2)),
    "silent": lambda x: (np.zeros_like(x), x, -x),
    "third": lambda x: (x, noise(4, 0.003), -x),
    "many": lambda x: (*(noise(4, 0.002, seed=n) for n in range(30)), x, -x),
}


@pytest.mark.parametrize("kind", CANCELLING)
def test_the_strongest_is_heard_where_channels_cancel(kind: str) -> None:
    """Of channels that cancel each other the strongest is heard after 0.3 s, and both are named."""
    sound = tone(4)
    channels = CANCELLING[kind](sound)
    mixer, mono = mixed(*channels)
    (stretch,) = mixer.stretches
    pair = {"silent": (2, 3), "third": (1, 3), "many": (31, 32)}.get(kind, (1, 2))
    assert stretch == (pytest.approx(0.3), pair[0], "channels {} and {} cancel each other".format(*pair), math.inf)
    np.testing.assert_array_equal(mono[RATE // 2 :], channels[pair[0] - 1][RATE // 2 :])


def test_one_of_many_is_heard_where_the_average_is_below_the_gate() -> None:
    """A single channel among 32 that the average takes below the gate is heard alone; above it, the average is."""
    still, quiet = np.zeros(4 * RATE, np.float32), tone(4, level=0.005)
    mixer, mono = mixed(*[still] * 20, quiet, *[still] * 11)
    assert [(it.channel, it.reason) for it in mixer.stretches] == [(21, "the average of 32 channels is below -70 dBFS")]
    np.testing.assert_array_equal(mono[RATE // 2 :], quiet[RATE // 2 :])
    assert mixed(*[still] * 20, 20 * quiet, *[still] * 11)[0].stretches == []


def test_what_is_below_the_gate_decides_nothing() -> None:
    """Channels that cancel are of no interest where nothing is heard anyway."""
    quiet = tone(4, level=1e-4)
    assert mixed(quiet, -quiet)[0].stretches == []
    assert mixed(quiet, -quiet, gate=-100.0)[0].stretches != []


def test_a_part_that_cancels_is_heard_and_then_all_again() -> None:
    """After a second of what cancels one channel is heard, and after five that do not, the average again."""
    left, right = tone(16), tone(16, 330)
    cancels = slice(3 * RATE, 6 * RATE)
    right[cancels] = -left[cancels]
    mixer, mono = mixed(left, right)
    ((start, channel, _, end),) = mixer.stretches
    assert (channel, start, end) == (1, pytest.approx(4.0, abs=0.11), pytest.approx(11.0, abs=0.11))
    average = ((left + right) / 2).astype(np.float32)
    np.testing.assert_array_equal(mono[: 4 * RATE], average[: 4 * RATE])
    np.testing.assert_array_equal(mono[12 * RATE :], average[12 * RATE :])
    steps = np.abs(np.diff(mono))
    assert steps.max() <= max(np.abs(np.diff(left)).max(), np.abs(np.diff(right)).max())  # no click


@pytest.mark.parametrize("size", [1, 7, 799, 800, 1000])
def test_blocks_do_not_matter(size: int) -> None:
    """The same samples come out, bit for bit, whatever the blocks."""
    sound = tone(2)
    channels = [
        sound,
        np.where(np.arange(len(sound)) < RATE, -sound, noise(2, 0.1)),
        *(noise(2, 1e-3, n) for n in (1, 2)),
    ]
    whole, expected = mixed(*channels)
    parts, mono = mixed(*channels, size=size)
    np.testing.assert_array_equal(mono, expected)
    assert parts.stretches == whole.stretches != []


def test_two_microphones_at_a_distance_do_not_alternate() -> None:
    """A spaced pair whose average cancels some notes of a melody does not change over with each note."""
    delay = 12  # samples, half a period of 333 Hz
    hertz = np.random.default_rng(0).choice([333.3, 333.3, 250.0, 440.0, 520.0], 80)
    near = np.concatenate([tone(1.5, pitch) for pitch in hertz])
    far = np.concatenate([np.zeros(delay, np.float32), near[:-delay]])
    mixer, _ = mixed(near, far)
    assert 1 <= len(mixer.stretches) <= 2


def test_who_chooses_a_channel_hears_it() -> None:
    """With a channel of the user's own there is no choice."""
    sound = tone(2)
    converter = Converter(RATE, 2, channel=2)
    converter(np.stack([sound, -sound], axis=1))
    assert converter.alone is None
    assert converter.stretches == []


def test_a_channel_of_what_is_no_number_is_silent() -> None:
    """One channel that holds only NaN leaves the other in the average, and is named."""
    sound = tone(2)
    converter = Converter(22_050, 2)
    mono = converter(np.stack([sound, np.full_like(sound, np.nan)], axis=1))
    np.testing.assert_array_equal(mono, sound / 2)
    assert converter.alone is None
    assert converter.take_levels()[1] == [1]
