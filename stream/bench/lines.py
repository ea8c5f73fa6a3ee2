"""What many lines cost: a service that hears them beside one that hears one sound."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import soundfile

from stream.bench.demo_audio import demo_audio
from stream.bench.figures import Figures
from stream.bench.processes import resident_mb
from stream.bench.running_service import serving
from stream.client import Client
from stream.errors import ConfigError
from stream.protocol.messages import Label, Status
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.settings import MODEL
from stream.settings.lines import MOST

_WARM_SECONDS: Final = 8.0  # of audio, before anything is measured
_SECONDS: Final = 24.0  # that are measured
_SOUNDING: Final = 4  # of the quiet ones, one in so many sounds


def measure_lines(count: int, model: str | None = None) -> Figures:
    """Measure a service with so many lines, all of them sounding and most of them silent.

    Each line hears the demo from another moment on, at 22 050 Hz and in real time.

    Parameters
    ----------
    count : int
    model : str, optional
        Name or path of the model; the default one without it.

    Raises
    ------
    ConfigError
        When there cannot be so many lines.
    BenchError
        When the service does not start.
    """
    if not 2 <= count <= MOST:
        raise ConfigError(f"--lines is {count}; expected 2 to {MOST}")
    return asyncio.run(_measure(count, model or MODEL))


async def _measure(count: int, model: str) -> Figures:
    audio = demo_audio()
    channels = np.stack([np.roll(audio, -number * len(audio) // count) for number in range(count)], axis=1)
    quiet = channels * (np.arange(count) % _SOUNDING == 0)
    with TemporaryDirectory(prefix="soloist-bench-") as folder:
        one = await _cost(Path(folder), channels[:, :1], [], model)
        many = await _cost(Path(folder), channels, ["--line", "each"], model)
        most_silent = await _cost(Path(folder), quiet, ["--line", "each"], model)
    return {
        "lines": count,
        "lines_cpu_ratio": many[0] / (count * one[0]),
        "lines_quiet_ratio": most_silent[0] / one[0],
        "lines_memory_mb": many[1] - one[1],
        "lines_dropped_hops": many[2] + most_silent[2],
    }


async def _cost(folder: Path, audio: Array, lines: list[str], model: str) -> tuple[float, float, float]:
    """Return processor time as a share of audio time, memory in MB, and the hops that were dropped."""
    file = folder / "bench.wav"
    soundfile.write(file, audio, SAMPLE_RATE, subtype="FLOAT")
    arguments = ("--input", str(file), "--loop", *lines)
    async with serving(model, *arguments) as (process, address, _), Client(address) as client:
        began: tuple[float, float] | None = None
        dropped = 0
        async for message in client:
            if isinstance(message, Status):
                dropped = message.dropped_hops
            if not isinstance(message, Label) or message.time < _WARM_SECONDS:
                continue
            began = began or (message.time, _processor_seconds(process.pid))
            if message.time - began[0] >= _SECONDS:
                share = (_processor_seconds(process.pid) - began[1]) / (message.time - began[0])
                return share, resident_mb(process.pid), dropped
    raise AssertionError("the client ends only when it is told to")


def _processor_seconds(process: int) -> float:
    """Return what a process has used so far, user's and system's."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
