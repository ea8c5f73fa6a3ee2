"""Audio from a thread to the event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import numpy as np
import pytest

from stream.audio.block_queue import BlockQueue
from stream.errors import SourceLostError


def ramp(start: int, count: int) -> np.ndarray:
    """Frames that are numbered."""
    return np.arange(start, start + count, dtype=np.float32)[:, None]


async def test_a_thread_hands_over_in_order() -> None:
    """What a thread delivers arrives whole and in order, and then the end."""
    queue = BlockQueue(44_100)

    def deliver() -> None:
        for k in range(200):
            queue.put(ramp(10 * k, 10))
        queue.close()

    thread = threading.Thread(target=deliver)
    thread.start()
    pieces = []
    async with asyncio.timeout(10):
        while (block := await queue.get()) is not None:
            assert block.lost == 0
            pieces.append(block.frames)
    thread.join()
    np.testing.assert_array_equal(np.concatenate(pieces), ramp(0, 2000))
    assert queue.overflows == 0


async def test_the_oldest_makes_way_and_is_counted() -> None:
    """When nobody takes the audio, the newest stays and the length of what is gone is told before it."""
    queue = BlockQueue(100, seconds=1.0)
    for k in range(30):
        queue.put(ramp(10 * k, 10))
    block = await queue.get()
    assert block is not None
    assert (block.lost, len(block.frames), block.waiting) == (200, 100, 0)
    np.testing.assert_array_equal(block.frames, ramp(200, 100))
    assert queue.overflows == 20


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock's time, for the test to set."""
    now = [1000.0]
    monkeypatch.setattr("stream.system.clock.now", lambda: now[0])
    return now


async def test_a_gap_separates_blocks(now: list[float]) -> None:
    """Audio after a gap comes as a block of its own that tells the gap's length, and the first tells that it waits."""
    queue = BlockQueue(100)
    first = 0

    def deliver(blocks: int) -> None:
        nonlocal first
        for _ in range(blocks):
            now[0] += 0.1
            queue.put(ramp(first, 10))
            first += 10

    deliver(10)
    before = await queue.get()
    assert before is not None
    assert (len(before.frames), before.waiting) == (100, 0)
    now[0] += 7.0
    waiting = asyncio.create_task(queue.get())
    for _ in range(5):  # for less than half a second it may all still come
        deliver(1)
        await asyncio.sleep(0)
        assert not waiting.done()
    deliver(1)
    after = await waiting
    assert (after.lost, len(after.frames)) == (700, 60) if after else False
    assert (queue.overflows, queue.deliveries) == (1, 16)


async def test_audio_that_is_late_is_not_missing(now: list[float]) -> None:
    """What comes in one burst after a pause is delivered as if nothing had been."""
    queue = BlockQueue(100)
    queue.put(ramp(0, 10))
    now[0] += 2.0
    for k in range(1, 21):
        queue.put(ramp(10 * k, 10))
    block = await queue.get()
    assert block is not None
    assert (block.lost, len(block.frames), queue.overflows) == (0, 210, 0)


async def test_the_end_comes_with_what_was_doubtful(now: list[float]) -> None:
    """Audio that waits for a gap to be known is delivered when nothing more will come."""
    queue = BlockQueue(100)
    queue.put(ramp(0, 10))
    now[0] += 5.0
    queue.put(ramp(10, 10))
    queue.close()
    block = await queue.get()
    assert block is not None
    np.testing.assert_array_equal(block.frames, ramp(0, 20))
    assert await queue.get() is None


async def test_an_error_comes_after_the_audio() -> None:
    """What was delivered before the source was lost is heard before the loss is told, again and again."""
    queue = BlockQueue(44_100)
    queue.put(ramp(0, 10))
    queue.close(SourceLostError("unplugged"))
    queue.close()  # the first word counts
    assert await queue.get() is not None
    for _ in range(2):
        with pytest.raises(SourceLostError, match="unplugged"):
            await queue.get()


async def test_waiting_ends_when_audio_comes() -> None:
    """Who waits is woken by the next block."""
    queue = BlockQueue(44_100)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    threading.Thread(target=queue.put, args=(ramp(0, 5),)).start()
    async with asyncio.timeout(5):
        block = await waiting
    assert block is not None
    assert len(block.frames) == 5


async def test_a_device_that_calls_without_a_pause_leaves_signals_a_way() -> None:
    """The loop hears of SIGTERM by the pipe that wakes it, also when a device called 5000 times before it woke."""
    queue = BlockQueue(44_100)
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()
    queue.put(ramp(0, 1))
    assert await queue.get() is not None  # from now on each block wakes the loop
    loop.add_signal_handler(signal.SIGTERM, heard.set)
    try:
        for k in range(5000):
            queue.put(ramp(k, 1))
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            await heard.wait()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
    block = await queue.get()
    assert block is not None
    assert block.frames[-1, 0] == 4999
