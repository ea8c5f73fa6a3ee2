"""The ring buffer."""

from __future__ import annotations

import numpy as np
import pytest

from stream.recognition.ring import Ring


@pytest.mark.parametrize("blocks", [[1] * 25, [3, 7, 2, 10, 4], [10, 10, 5], [9, 25, 1], [0, 12, 0, 13], [40]])
def test_newest_samples_come_out_in_order(blocks: list[int]) -> None:
    """Whatever the blocks, the newest samples are those written last, and what was never written is zero."""
    ring = Ring(10)
    heard = np.zeros(10, np.float32)
    number = 0
    for size in blocks:
        block = np.arange(number + 1, number + size + 1, dtype=np.float32)
        number += size
        ring.write(block)
        heard = np.concatenate([heard, block])
        for count in (1, 4, 10):
            np.testing.assert_array_equal(ring.newest(count), heard[-count:])


def test_samples_are_copied() -> None:
    """A block that is used again by its owner, as PortAudio does, leaves the ring untouched."""
    ring = Ring(4)
    block = np.ones(4, np.float32)
    ring.write(block)
    block.fill(9)
    np.testing.assert_array_equal(ring.newest(4), np.ones(4))


def test_clear_leaves_zeros() -> None:
    """A cleared ring reads as if nothing was ever written."""
    ring = Ring(4)
    ring.write(np.ones(3, np.float32))
    ring.clear()
    np.testing.assert_array_equal(ring.newest(4), np.zeros(4))
