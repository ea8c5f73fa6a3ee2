"""Measure what the check of channels costs, and what it finds in recordings in which nothing is wrong.

`python -m tools.measure_channel_check` prints the CPU seconds that an audio second of many channels takes, all of them
sounding: the figure of docs/check-lines.md, with OPENBLAS_NUM_THREADS=1, as `soloist` sets it. With
`--recordings FOLDER` it checks every recording below it and lists those of which something is told.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from stream.audio.channel_check import ChannelCheck
from stream.audio.sound_file import open_sound_file
from stream.errors import SoloistError
from stream.recognition.settings import GATE

_SECONDS = 20
_BLOCK_SECONDS = 0.02
_ENDINGS = {".flac", ".ogg", ".wav"}


def cpu_seconds(rate: int, channels: int) -> float:
    """Return what an audio second takes, in blocks as a device delivers them."""
    rng = np.random.default_rng(0)
    block = round(_BLOCK_SECONDS * rate)
    audio = (0.05 * rng.standard_normal((rate, channels))).astype(np.float32)
    check = ChannelCheck(rate, np.full(channels, GATE))
    started = time.process_time()
    for _ in range(_SECONDS):
        for start in range(0, rate, block):
            check.take(audio[start : start + block])
    return (time.process_time() - started) / _SECONDS


def told_of(path: Path) -> tuple[float, list[str]]:
    """Return how long a recording is in seconds, and what is told of its channels at its end."""
    with open_sound_file(path) as file:
        check = ChannelCheck(file.rate, np.full(file.channels, GATE))
        while len(frames := file.read(file.rate)):
            check.take(frames)
    told = []
    for found in check.found:
        if found.hum:
            told.append(f"hum at {found.hum} Hz, {found.hum_level:.0f} dBFS")
        if found.clipped:
            told.append(f"clipped {found.clipped} times")
        if found.copy is not None:
            told.append(f"channel {found.channel} is channel {found.copy.original + 1}")
    return check.seconds, told


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=48_000, help="in Hz (48000)")
    parser.add_argument("--channels", type=int, default=32, help="how many (32)")
    parser.add_argument("--recordings", type=Path, help="folder of recordings in which nothing should be wrong")
    options = parser.parse_args()
    if options.recordings is None:
        taken = cpu_seconds(options.rate, options.channels)
        sys.stdout.write(f"{options.channels} channels at {options.rate} Hz: {taken:.3f} CPU seconds an audio second\n")
        return
    count, seconds = 0, 0.0
    for path in sorted(it for it in options.recordings.rglob("*") if it.suffix in _ENDINGS):
        try:
            length, told = told_of(path)
        except SoloistError as error:
            sys.stdout.write(f"{error}\n")
            continue
        count, seconds = count + 1, seconds + length
        if told:
            sys.stdout.write(f"{path}: {'; '.join(told)}\n")
    sys.stdout.write(f"{count} recordings, {seconds / 60:.0f} minutes\n")


if __name__ == "__main__":
    main()
