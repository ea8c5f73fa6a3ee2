"""Audio held against the clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.audio.gaps import GapDetector

RATE = 44_100
BLOCK = 441


class Device:
    """A device whose audio arrives in bursts, when the test lets it."""

    def __init__(self, burst: float, speed: float = 1.0) -> None:
        self.now = 5000.0
        self.detector = GapDetector(RATE)
        self.told = 0
        self._burst, self._speed = burst, speed
        self._made = self._arrived = 0.0  # seconds of audio

    def run(self, seconds: float) -> None:
        """Work for a while."""
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now += self._burst
            self._made += self._burst * self._speed
            self.arrive()

    def arrive(self, overflow: bool = False) -> None:
        """Let all arrive that was made."""
        while self._made - self._arrived > BLOCK / RATE - 1e-9:
            self._arrived += BLOCK / RATE
            self.told += self.detector.update(BLOCK, self.now, overflow)
            overflow = False

    def stall(self, seconds: float, lost: float) -> None:
        """Let nothing arrive for a while, and a part of it never."""
        self.now += seconds
        self._made += seconds - lost


@given(
    burst=st.sampled_from([0.01, 0.05, 0.19]),
    stalls=st.lists(
        st.tuples(st.floats(0.3, 100.0), st.floats(0.0, 1.0), st.sampled_from([0.3, 1.0, 2.0])), min_size=1, max_size=8
    ),
)
def test_what_is_missing_is_told_to_within_a_burst(burst: float, stalls: list[tuple[float, float, float]]) -> None:
    """However often audio stalls, and whatever part of it comes later: in the end so much is told as is missing."""
    device = Device(burst)
    device.run(2.0)
    missing = 0.0
    for seconds, part, later in stalls:
        missing += part * seconds
        device.stall(seconds, part * seconds)
        device.arrive()
        device.run(later)
    device.run(2.0)
    # What is less than the slack, in all, is not told of.
    assert device.told / RATE == pytest.approx(missing, abs=0.3 + burst)


@pytest.mark.parametrize("speed", [1 - 2e-4, 1.0, 1 + 2e-4])
def test_a_clock_that_is_not_quite_ours_loses_nothing(speed: float) -> None:
    """A device that is a fifth of a thousandth too slow or too fast for three hours is at no moment late."""
    device = Device(0.05, speed)
    device.run(3 * 3600)
    assert (device.told, device.detector.losses, device.detector.is_undecided) == (0, 0, False)


def test_an_overflow_is_measured() -> None:
    """When the device says that it lost audio, so much is told as the clock shows, also where that is little."""
    device = Device(0.01)
    device.run(2.0)
    device.stall(0.15, lost=0.1)
    device.arrive(overflow=True)
    device.run(1.0)
    assert device.detector.losses == 1
    assert device.told / RATE == pytest.approx(0.1, abs=0.02)
    device.arrive(overflow=True)
    device.run(1.0)
    assert device.told / RATE == pytest.approx(0.1, abs=0.02)


def test_doubt_lasts_half_a_second() -> None:
    """Audio is held back only after a pause without its audio, until it came or half a second later."""
    device = Device(0.01)
    device.run(2.0)
    device.stall(10.0, lost=10.0)
    device.run(0.4)
    assert (device.detector.is_undecided, device.told) == (True, 0)
    device.run(0.2)
    assert (device.detector.is_undecided, device.detector.losses) == (False, 1)
    assert device.told / RATE == pytest.approx(10.0, abs=0.02)
    device.stall(10.0, lost=0.0)
    device.arrive()
    assert (device.detector.is_undecided, device.detector.losses) == (False, 1)


@given(st.lists(st.tuples(st.floats(0.6, 5.0), st.floats(0.6, 5.0)), min_size=1, max_size=6))
def test_what_comes_after_all_has_no_place(stalls: list[tuple[float, float]]) -> None:
    """Audio that was told to be missing, and comes later, is refused, so that time stays true."""
    device = Device(0.01)
    device.run(2.0)
    for seconds, later in stalls:
        device.stall(seconds, lost=seconds)
        device.run(later)
        device.stall(0.0, lost=-seconds)
        device.arrive()
    device.run(1.0)
    assert device.told / RATE == pytest.approx(0.0, abs=0.05)
