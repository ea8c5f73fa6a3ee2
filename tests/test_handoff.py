"""Audio from a thread to the event loop."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from stream.errors import SourceLostError
from stream.handoff import HandOff


def ramp(start: int, count: int) -> np.ndarray:
    """Frames that are numbered."""
    return np.arange(start, start + count, dtype=np.float32)[:, None]


async def test_a_thread_hands_over_in_order() -> None:
    """What a thread delivers arrives whole and in order, and then the end."""
    handoff = HandOff(100_000)

    def deliver() -> None:
        for k in range(200):
            handoff.put(ramp(10 * k, 10))
        handoff.close()

    thread = threading.Thread(target=deliver)
    thread.start()
    pieces = []
    async with asyncio.timeout(10):
        while (block := await handoff.get()) is not None:
            assert block.lost == 0
            pieces.append(block.frames)
    thread.join()
    np.testing.assert_array_equal(np.concatenate(pieces), ramp(0, 2000))
    assert handoff.overflows == 0


async def test_the_oldest_makes_way_and_is_counted() -> None:
    """When nobody takes the audio, the newest stays and the length of what is gone is told before it."""
    handoff = HandOff(100)
    for k in range(30):
        handoff.put(ramp(10 * k, 10))
    block = await handoff.get()
    assert block is not None
    assert (block.lost, len(block.frames), block.waiting) == (200, 100, 0)
    np.testing.assert_array_equal(block.frames, ramp(200, 100))
    assert handoff.overflows == 20


async def test_a_gap_separates_blocks() -> None:
    """Audio after a gap comes as a block of its own that tells the gap's length, and the first tells that it waits."""
    handoff = HandOff(1000)
    handoff.put(ramp(0, 10))
    handoff.put(ramp(10, 10))
    handoff.put(ramp(50, 10), lost=30, overflow=True)
    first, second = await handoff.get(), await handoff.get()
    assert first is not None
    assert second is not None
    assert (len(first.frames), first.waiting) == (20, 10)
    assert (second.lost, len(second.frames), second.waiting) == (30, 10, 0)
    assert handoff.overflows == 1


async def test_an_error_comes_after_the_audio() -> None:
    """What was delivered before the source was lost is heard before the loss is told, again and again."""
    handoff = HandOff(1000)
    handoff.put(ramp(0, 10))
    handoff.close(SourceLostError("unplugged"))
    handoff.close()  # the first word counts
    assert await handoff.get() is not None
    for _ in range(2):
        with pytest.raises(SourceLostError, match="unplugged"):
            await handoff.get()


async def test_waiting_ends_when_audio_comes() -> None:
    """Who waits is woken by the next block."""
    handoff = HandOff(1000)
    waiting = asyncio.create_task(handoff.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    threading.Thread(target=handoff.put, args=(ramp(0, 5),)).start()
    async with asyncio.timeout(5):
        block = await waiting
    assert block is not None
    assert len(block.frames) == 5
