"""Channels, rates and numbers that are none."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from stream.audio.converter import Converter
from stream.errors import ConfigError
from stream.recognition.mel import SAMPLE_RATE


def sine(rate: int, seconds: float = 2.0, hertz: float = 440.0) -> np.ndarray:
    """A tone at half of full scale."""
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("size", [64, 441, 100_000])
def test_blocks_are_resampled_like_the_whole(rate: int, size: int) -> None:
    """A stream in blocks comes out like soxr's resampling of the whole, sample for sample, and as long."""
    whole = sine(rate)
    converter = Converter(rate, 1)
    pieces = [converter(whole[start : start + size, None]) for start in range(0, len(whole), size)]
    pieces.append(converter(np.empty((0, 1), np.float32), last=True))
    expected = whole if rate == SAMPLE_RATE else soxr.resample(whole, rate, SAMPLE_RATE)
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=2e-5)


def test_channels_are_averaged_or_picked() -> None:
    """Without a channel all are averaged; with one, only that one is heard, counted from 1."""
    frames = np.stack([np.full(10, 0.2), np.full(10, 0.6), np.full(10, -0.2)], axis=1).astype(np.float32)
    np.testing.assert_allclose(Converter(SAMPLE_RATE, 3)(frames), 0.2, atol=1e-6)
    np.testing.assert_allclose(Converter(SAMPLE_RATE, 3, 2)(frames), 0.6)


@pytest.mark.parametrize("channel", [0, 3, -1])
def test_a_channel_that_is_not_there_is_refused(channel: int) -> None:
    """The source's number of channels is told."""
    with pytest.raises(ConfigError, match=rf"channel is {channel}; the source has 2"):
        Converter(SAMPLE_RATE, 2, channel)


def test_what_is_no_number_does_not_reach_the_resampler() -> None:
    """NaN and infinities become zeros and are counted, and what follows them sounds as ever."""
    broken = sine(44_100)
    broken[5_000:5_010] = np.nan
    broken[6_000] = np.inf
    converter = Converter(44_100, 1)
    out = converter(broken[:, None], last=True)
    assert converter.invalid == 11
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out[4_000:], Converter(44_100, 1)(sine(44_100)[:, None], last=True)[4_000:], atol=1e-6)


def test_clipping_is_seen_in_any_channel() -> None:
    """One channel at full scale is told even though the average is far below."""
    frames = np.zeros((100, 8), np.float32)
    converter = Converter(48_000, 8)
    converter(frames)
    assert not converter.clipped
    frames[50, 7] = -1.0
    converter(frames)
    assert converter.clipped
