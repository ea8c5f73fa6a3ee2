"""What is found of each channel of a source: silence, clipping, hum, copies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.audio.channel_check import ChannelCheck, ChannelFindings
from stream.audio.channel_copies import Copy
from stream.audio.low_band import LowBand
from stream.recognition.mel import Array
from stream.recognition.settings import GATE

RATE = 16_000


def check(*channels: object, rate: int = RATE, size: int = 1_000) -> list[ChannelFindings]:
    """Check channels of one length in blocks of one size."""
    frames = np.stack([np.asarray(channel, np.float32) for channel in channels], axis=1)
    checking = ChannelCheck(rate, np.full(frames.shape[1], GATE))
    for start in range(0, len(frames), size):
        checking.take(frames[start : start + size])
    return checking.found


def sine(hertz: float, amplitude: float = 0.1, seconds: float = 8.0, rate: int = RATE) -> Array:
    """Return a sine."""
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return wave.astype(np.float32)


def noise(seed: int, amplitude: float = 1e-3, seconds: float = 8.0, rate: int = RATE) -> Array:
    """Return white noise, at -60 dBFS without an amplitude."""
    return (amplitude * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


def note(hertz: float, seconds: float, decay: float = 1.0, rate: int = RATE) -> Array:
    """Return a note of ten partials that dies away by a factor of e every 1 / decay seconds."""
    time = np.arange(round(seconds * rate)) / rate
    partials = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 11))
    return np.asarray(0.2 * partials * np.exp(-decay * time), np.float32)


def midi(number: int) -> float:
    """Return the frequency of a key in Hz."""
    return float(440 * 2 ** ((number - 69) / 12))


def test_silence_and_zeros_are_told_apart() -> None:
    """A channel of zeros is dead, one of noise below the gate is silent, one above it for a moment is neither."""
    short = np.concatenate([noise(1, 1e-5, 7), noise(2, 1e-2, 1)])
    dead, silent, sounding = check(np.zeros(8 * RATE), noise(0, 1e-5), short)
    assert (dead.is_dead, dead.is_silent, dead.level) == (True, True, -np.inf)
    assert (silent.is_dead, silent.is_silent) == (False, True)
    assert silent.level == pytest.approx(-100, abs=1)
    assert (sounding.is_dead, sounding.is_silent) == (False, False)
    assert sounding.level == pytest.approx(-40, abs=1)


def test_runs_at_full_scale_are_clipping() -> None:
    """Peaks that stay are counted, those that only touch full scale or pass beyond it are not."""
    clipped = np.clip(sine(100, 1.5), -1, 32767 / 32768)
    touching = np.round(sine(440, 32767 / 32768) * 32768) / 32768
    counts = [it.clipped for it in check(clipped, touching, sine(100, 1.5))]
    assert counts == [1600, 0, 0]  # two in each period of 8 s


def test_a_run_that_begins_in_one_cell_and_ends_in_the_next_is_one() -> None:
    """The border between two tenths of a second neither hides a run nor doubles it."""
    audio = noise(0, 1e-2, 1)
    for number, first in enumerate((1_598, 3_199, 4_797), 1):
        audio[first : first + 4] = 1.0
        assert check(audio)[0].clipped == number


@pytest.mark.parametrize("mains", [50, 60])
@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_hum_is_found_at_every_rate(mains: int, rate: int) -> None:
    """The mains' frequency alone, or with others, also where it is off by a little, is told with its level."""
    hiss = noise(0, rate=rate)
    alone = sine(mains, 0.01, rate=rate) + hiss
    doubled = sine(2.003 * mains, 0.01, rate=rate) + sine(4.006 * mains, 0.004, rate=rate) + hiss
    off = sum(sine(0.998 * mains * k, 0.002, rate=rate) for k in range(1, 8)) + hiss
    for found, level in zip(check(alone, doubled, off, rate=rate, size=4_000), (-43, -42.4, -50), strict=True):
        assert found.hum == mains
        assert found.hum_level == pytest.approx(level, abs=1)


def test_quiet_hum_is_found_in_the_rests_of_the_music() -> None:
    """It is 40 dB below the notes, and lies bare for five seconds."""
    tune = np.concatenate([note(midi(43 + k), 0.5, 2) for k in (0, 2, 4, 5, 7, 9)] + [np.zeros(5 * RATE, np.float32)])
    (found,) = check(np.tile(tune, 2) + sine(50, 5e-4, 16) + sine(150, 3e-4, 16) + noise(0, 1e-4, 16))
    assert found.hum == 50


def test_hum_that_ends_is_no_longer_told() -> None:
    """Somebody has mended the cable."""
    assert check(np.concatenate([sine(50, 0.01), 1e-3 * sine(440)]) + noise(0, 1e-4, 16))[0].hum == 0


def test_bass_notes_beside_the_mains_are_no_hum() -> None:
    """G1 and B1, held for a second, for half of one, in turn and for long, plucked or bowed, are music."""
    g, b = midi(31), midi(35)
    assert (round(g), round(b)) == (49, 62)
    lines = [[g], [b], [g, b], [g, midi(33), b], [55.0, 50.0], [60.0, 65.4]]
    for decay in (0.0, 1.0):
        for seconds in (0.5, 1.0, 4.0):
            basses = []
            for line in lines:
                notes = [note(hertz, seconds, decay) for hertz in line]
                basses.append(np.resize(np.concatenate(notes), 12 * RATE) + noise(0, 1e-4, 12))
            for line, found in zip(lines, check(*basses), strict=True):
                if seconds < 2 or not {50.0, 60.0} & set(line):  # which no instrument in tune plays
                    assert found.hum == 0, (line, seconds, decay)


def test_a_held_chord_of_an_organ_is_no_hum() -> None:
    """Every key from C1 to B5 is held for eight seconds."""
    keys = [note(midi(number), 8, 0) + noise(number, 1e-4) for number in range(24, 84)]
    assert [it.hum for it in check(*keys)] == [0] * 60


def test_tones_and_noise_are_no_hum() -> None:
    """Neither a line-up tone, nor noise, nor rumble, nor the frequency of another machine."""
    rumble = np.cumsum(noise(3, 1e-4)) * 0.98
    assert [it.hum for it in check(sine(440), noise(0), rumble, sine(55), sine(48.5), sine(1000))] == [0] * 6


def test_channels_with_the_same_hum_are_no_copies() -> None:
    """Two cables without a signal hum alike."""
    hum = sine(50, 0.01, 12)
    first, second = check(hum + noise(0, 1e-5, 12), hum + noise(1, 1e-5, 12))
    assert (first.hum, second.hum, second.copy) == (50, 50, None)


def test_copies_are_told_with_gain_and_polarity() -> None:
    """Equal samples, a quieter copy with a preamplifier's noise, and one with its polarity inverted."""
    music = noise(0, 0.05)
    found = check(music, noise(1, 0.05), music, 0.5 * music + noise(2, 1e-4), -2 * music)
    assert [it.copy is None for it in found] == [True, True, False, False, False]
    assert found[2].copy == Copy(2, 0, 0.0, False)
    quieter, inverted = found[3].copy, found[4].copy
    assert quieter is not None
    assert inverted is not None
    assert (quieter.original, quieter.is_inverted, inverted.original, inverted.is_inverted) == (0, False, 0, True)
    assert (quieter.gain, inverted.gain) == (pytest.approx(-6.02, abs=0.1), pytest.approx(6.02, abs=0.1))


def test_spill_makes_no_copy() -> None:
    """A microphone that picks up a neighbour, even almost as loud as its own player, is another signal."""
    player, neighbour = noise(0, 0.05), noise(1, 0.05)
    delayed = np.roll(player, 40)  # 2.5 ms
    found = check(player, 0.05 * neighbour + player, delayed + 0.1 * neighbour)
    assert [it.copy for it in found] == [None] * 3


def test_a_channel_that_is_patched_anew_is_no_copy_any_more() -> None:
    """What holds is what was found last."""
    first, second = noise(0, 0.05, 16), noise(1, 0.05, 16)
    second[: 8 * RATE] = first[: 8 * RATE]
    assert check(first[: 8 * RATE], second[: 8 * RATE])[1].copy is not None
    assert check(first, second)[1].copy is None


def test_what_is_no_number_is_told_and_taken_as_zero() -> None:
    """It breaks nothing of what is found otherwise."""
    broken = sine(440)
    broken[5_000:5_003] = np.nan, np.inf, 1e20
    checking = ChannelCheck(RATE, np.full(2, GATE))
    heard = checking.take(np.stack([broken, sine(440)], axis=1))
    assert np.isfinite(heard).all()
    assert [it.is_broken for it in checking.found] == [True, False]
    assert checking.found[0].level == pytest.approx(-23, abs=0.1)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=40), st.sampled_from([8_000, 11_025, 22_050]))
def test_what_is_found_does_not_depend_on_the_blocks(sizes: list[int], rate: int) -> None:
    """All figures are the same to the last bit."""
    hum = sine(60, 0.02, 6, rate) + noise(0, 1e-3, 6, rate)
    loud = np.clip(40 * noise(1, 0.05, 6, rate), -1, 1)
    frames = np.stack([hum, loud, -0.3 * loud, np.zeros_like(hum)], axis=1)
    whole, parts = (ChannelCheck(rate, np.full(4, GATE)) for _ in range(2))
    whole.take(frames)
    start = 0
    while start < len(frames):
        for size in sizes:
            parts.take(frames[start : start + size])
            start += size
    assert parts.found == whole.found
    assert whole.found[0].hum == 60
    assert whole.found[1].clipped > 0
    assert whole.found[2].copy is not None


def test_the_low_band_keeps_what_is_low() -> None:
    """A sine of 50 Hz keeps its level to 0.1 dB, one that would fold onto it is 44 dB lower."""
    low = LowBand(48_000, 2, 4_800)
    assert (low.rate, low.length) == (1_000, 100)
    waves = np.stack([sine(50, 1, 1, 48_000), sine(950, 1, 1, 48_000)])
    out = np.concatenate([low.take(waves[:, start : start + 4_800]) for start in range(0, 48_000, 4_800)], axis=1)
    levels = 20 * np.log10(np.sqrt(2) * out[:, 100:].std(axis=1))
    assert levels[0] == pytest.approx(0, abs=0.1)
    assert levels[1] < -44
