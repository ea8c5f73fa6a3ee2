"""The level meter."""

from __future__ import annotations

import numpy as np
import pytest

from stream.audio.meter import LevelMeter
from stream.recognition.mel import SAMPLE_RATE

STRETCH = SAMPLE_RATE // 20


def test_stretches_do_not_depend_on_blocks() -> None:
    """Audio in odd blocks gives a level for every 50 ms, at the time of the stretch's end."""
    audio = (0.5 * np.sin(np.arange(5 * STRETCH + 300))).astype(np.float32)
    meter, told = LevelMeter(), []
    for start in range(0, len(audio), 777):
        block = audio[start : start + 777]
        told += meter.feed(block, start + len(block), clipped=False)
    assert [level.time for level in told] == pytest.approx([k * STRETCH / SAMPLE_RATE for k in range(1, 6)])
    assert told == list(LevelMeter().feed(audio, len(audio), clipped=False))


def test_audio_from_before_a_gap_is_not_heard_after_it() -> None:
    """What was left over when the stream jumps on is no part of the next level."""
    meter = LevelMeter()
    list(meter.feed(np.full(STRETCH - 1, 0.9, np.float32), STRETCH - 1, clipped=False))
    start = 100 * STRETCH
    (level,) = meter.feed(np.zeros(STRETCH, np.float32), start + STRETCH, clipped=False)
    assert level.peak == -120
    assert level.time == pytest.approx((start + STRETCH) / SAMPLE_RATE)
