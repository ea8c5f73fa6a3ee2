"""Faults in the audio that arrives, as warnings that say what to do."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream.recognition.level import measure_level
from stream.recognition.mel import SAMPLE_RATE, Array

_BLOCK: Final = SAMPLE_RATE // 5  # what is checked at once
_HOLD: Final = 10 * SAMPLE_RATE  # how long a warning lasts after the fault was last seen
_OFFSET: Final = 0.05  # a mean over 2 s; that of real solos stays below 0.002, that of our demo below 0.033
_OFFSET_BLOCKS: Final = 10
_CONSTANT_BLOCKS: Final = 8  # noticed within 2 s, with the sound system's latency
_SILENT_BLOCKS: Final = 150
_CONSTANT_RANGE: Final = (
    1e-6  # no converter is that quiet: its last bit of 24 is 1.2e-7, and noise moves more than that one
)

_INVALID: Final = "the input holds samples that are not numbers, which are taken as zeros: "
_RESTART: Final = "restart what sends them"
_REPLACE: Final = "the file, or what sends them, is at fault"
_CLIPPED: Final = "the input is at full scale: turn the gain down"
_OFF_CENTRE: Final = "the input has a DC offset: switch on a low-cut filter, or check the cable and the interface"
_ZEROS: Final = "the input delivers only zeros: unmute it, switch it on, or choose another device"


class SignalMonitor:
    """Checks the audio of one source for faults that somebody should mend.

    Time is counted in audio.

    Parameters
    ----------
    gate : float
        RMS level in dBFS below which nothing is heard.
    live : bool
        Whether it is a device, whose samples are never quite constant while it works; those of a file may be.
    """

    def __init__(self, gate: float, live: bool) -> None:
        self._gate = gate
        self._live = live
        self._position = 0
        self._rest = np.empty(0, np.float32)
        self._seen: dict[str, int] = {}  # what does not last, and where it was last seen
        self._means = [0.0] * _OFFSET_BLOCKS
        self._silent = 0  # blocks in a row
        self._constant = 0

    @property
    def zeros_warning(self) -> str | None:
        """The warning for a device that works and delivers only zeros, None if it does not."""
        return _ZEROS if self._live and self._constant >= _CONSTANT_BLOCKS else None

    @property
    def warnings(self) -> list[str]:
        """What is wrong now and how to mend it, one line each."""
        warnings = []
        if self._is_recent(_INVALID):
            warnings.append(_INVALID + (_RESTART if self._live else _REPLACE))
        if self._is_recent(_CLIPPED):
            warnings.append(_CLIPPED)
        if self.zeros_warning is not None:
            warnings.append(self.zeros_warning)
        elif self._silent >= _SILENT_BLOCKS:
            warnings.append(
                f"nothing above {self._gate:g} dBFS for {_SILENT_BLOCKS * _BLOCK // SAMPLE_RATE} s: "
                "check the cable, the mute switch and the gain"
            )
        return [*warnings, *([_OFF_CENTRE] if self._is_recent(_OFF_CENTRE) else [])]

    def update(self, samples: Array, clipped: bool, invalid: bool) -> None:
        """Take in a block.

        Parameters
        ----------
        samples : np.ndarray [shape=(n,), dtype=float32]
            Mono audio at 22 050 Hz, finite.
        clipped : bool
            Whether the input that it came from was at full scale.
        invalid : bool
            Whether that held samples that were not finite numbers.
        """
        audio = np.concatenate([self._rest, samples])
        whole = len(audio) // _BLOCK * _BLOCK
        end = self._position - len(self._rest)
        for start in range(0, whole, _BLOCK):
            end += _BLOCK
            self._check_block(audio[start : start + _BLOCK], end)
        self._rest = audio[whole:]
        self._position += len(samples)
        if clipped:
            self._seen[_CLIPPED] = self._position
        if invalid:
            self._seen[_INVALID] = self._position

    def _check_block(self, block: Array, end: int) -> None:
        self._means = [*self._means[1:], float(np.mean(block, dtype=np.float64))]
        if abs(sum(self._means)) / _OFFSET_BLOCKS > _OFFSET:
            self._seen[_OFF_CENTRE] = end
        self._silent = self._silent + 1 if measure_level(block)[0] < self._gate else 0
        self._constant = self._constant + 1 if np.ptp(block) <= _CONSTANT_RANGE else 0

    def _is_recent(self, text: str) -> bool:
        return text in self._seen and self._position - self._seen[text] <= _HOLD
