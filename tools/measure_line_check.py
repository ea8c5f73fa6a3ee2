"""Measure what the check of a running service's lines costs beside the lines themselves.

`python -m tools.measure_line_check` prints the CPU seconds that an audio second takes: of the lines, of a check of them
that shares what they recognize, and of one that hears all channels for itself, as `soloist check-lines` does. All
channels sound. It is the figure of docs/check-lines.md, with OPENBLAS_NUM_THREADS=1, as `soloist` sets it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

import numpy as np

from stream.audio.block_queue import Block
from stream.bench.demo_audio import demo_audio
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.settings import GATE
from stream.service.line import Line
from stream.service.line_check import LineCheck
from stream.service.lines import Lines
from stream.service.shared_check import SharedCheck
from stream.settings.lines_plan import LinePlan

_BLOCK = 2048


def stage(channels: int, seconds: float) -> Array:
    """Return channels that all sound, each another part of the demo [shape=(n, channels)]."""
    demo = demo_audio()
    count = round(seconds * SAMPLE_RATE)
    starts = np.linspace(0, 40 * SAMPLE_RATE, channels).astype(int)
    return np.stack([np.resize(demo[start : start + 30 * SAMPLE_RATE], count) for start in starts], axis=1)


async def share(audio: Array, count: int, classifier: Classifier) -> tuple[float, float]:
    """Hear so many lines, and check them; return the CPU seconds of both."""
    names = classifier.bundle.lineup or classifier.bundle.instruments
    plan = [LinePlan(str(it), (it + 1,), (names[it % len(names)],)) for it in range(count)]
    lines = [
        Line(Recognizer(classifier, lineup=it.instruments), GATE, True, name=it.name, channels=it.channels)
        for it in plan
    ]
    hearing = Lines(lines)
    lineup = tuple(dict.fromkeys(name for it in plan for name in it.instruments))
    check = SharedCheck(plan, lines, classifier, GATE, lineup)
    hearing.tell(check)
    hearing.connect(SAMPLE_RATE, audio.shape[1], None)
    spent = [0.0, 0.0]
    for start in range(0, len(audio), _BLOCK):
        before = time.process_time()
        async for _ in hearing.hear(Block(audio[start : start + _BLOCK], 0, 0, 0.0), 0):
            pass
        between = time.process_time()
        check.work(check.collect())
        spent = [spent[0] + between - before, spent[1] + time.process_time() - between]
    hearing.close()
    return spent[0], spent[1]


def alone(audio: Array, count: int, classifier: Classifier) -> float:
    """Check so many lines without a service; return the CPU seconds."""
    names = classifier.bundle.lineup or classifier.bundle.instruments
    check = LineCheck([LinePlan(str(it), (it + 1,), (names[it % len(names)],)) for it in range(count)], classifier)
    check.connect(SAMPLE_RATE, audio.shape[1])
    before = time.process_time()
    for start in range(0, len(audio), _BLOCK):
        check.hear(audio[start : start + _BLOCK])
    return time.process_time() - before


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=32, help="lines, on a channel each (32)")
    parser.add_argument("--spare", type=int, default=0, help="channels that no line has (0)")
    parser.add_argument("--seconds", type=float, default=20, help="of audio (20)")
    options = parser.parse_args()
    classifier = Classifier.load()
    audio = stage(options.lines + options.spare, options.seconds)
    lines, shared = asyncio.run(share(audio, options.lines, classifier))
    own = alone(audio, options.lines, classifier)
    write = sys.stdout.write
    write(f"{options.lines} lines, {options.spare} channels without: CPU seconds for each second of audio\n")
    for what, spent in (("the lines", lines), ("a check that shares", shared), ("a check of its own", own)):
        write(f"  {what:20} {spent / options.seconds:.3f}\n")


if __name__ == "__main__":
    main()
