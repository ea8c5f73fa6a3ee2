"""Raw audio from a file descriptor, such as standard input."""

from __future__ import annotations

import os
from typing import Final

import numpy as np

from stream.audio.paced_reader import PacedReader
from stream.audio.pcm import PcmFormat
from stream.recognition.mel import Array

_SPEED: Final = 1.01
"""How much faster than ours the clock of a live input may run; what comes faster is held back."""


def open_pcm_source(descriptor: int, pcm: PcmFormat) -> PacedReader:
    """Play raw audio.

    It passes as fast as it comes, but hardly faster than real time, so that a file poured in is heard like a
    microphone.

    Parameters
    ----------
    descriptor : int
        File descriptor to read from: 0 for standard input.
    pcm : PcmFormat
        Its form.
    """
    size = np.dtype(pcm.dtype).itemsize * pcm.channels
    rest = b""

    def read(frames: int) -> Array:
        nonlocal rest
        data = rest
        while len(data) < size:
            # Not through a buffered file: a thread that waits inside one keeps Python from ending.
            more = os.read(descriptor, frames * size)
            if not more:
                return np.empty((0, pcm.channels), np.float32)
            data += more
        whole = len(data) // size * size
        data, rest = data[:whole], data[whole:]
        samples = np.frombuffer(data, pcm.dtype).reshape(-1, pcm.channels)
        if pcm.dtype == "<f4":  # perhaps signalling NaNs, at which arithmetic would warn
            return samples.astype(np.float32)
        return samples.astype(np.float32) / np.float32(32768)

    return PacedReader("standard input", pcm.rate, pcm.channels, read, _SPEED)
