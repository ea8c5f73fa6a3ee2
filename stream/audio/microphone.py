"""One open microphone or line input, by PortAudio."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from stream.audio import portaudio
from stream.audio.block_queue import BlockQueue
from stream.audio.devices import InputDevice, find_device
from stream.audio.sound_server import SERVERS
from stream.errors import SourceLostError
from stream.system.stderr import quiet_stderr

# Names under which ALSA offers a sound server rather than a device: they offer any number of channels and invent
# those that the real input does not have.
_SOUND_SERVERS: Final = frozenset({"default", "sysdefault", "pulse", "pipewire", "jack"})
_SOUND_SERVER_CHANNELS: Final = 2
_FALLBACK_RATES: Final = (48_000, 44_100, 32_000, 22_050, 16_000, 96_000, 192_000, 88_200, 24_000, 11_025, 8_000)
_INVALID_RATE: Final = -9997
_INVALID_CHANNELS: Final = -9998

_log = logging.getLogger(__name__)


class Microphone:
    """An open input; see `stream.audio.source.Source`.

    It runs at the device's own rate and block size with as many channels as the device has: no conversion that
    others would choose for us. Where a device refuses the format that it claims, the first that it takes is used.

    Parameters
    ----------
    device : str, optional
        A part of the name of the input; the default input without it.
    channel : int, optional
        The channel that will be listened to, counted from 1; it decides how many are asked of a sound server.
    last, strict : str, optional, and bool
        The device that was heard before, see `stream.audio.devices.find_device`.
    channels : int
        How many are asked of a sound server, which would invent any number, if the channel asks for no more.

    Raises
    ------
    SourceLostError
        When there is no such device or channel, or it cannot be opened now.
    RuntimeMissingError
        When the PortAudio library is not installed.
    """

    def __init__(
        self,
        device: str | None,
        channel: int | None = None,
        last: str | None = None,
        strict: bool = False,
        channels: int = 1,
    ) -> None:
        found = find_device(device, last, strict)
        self.name = found.name
        self.shared = found.name in SERVERS
        asked, channels = channels, found.channels
        if found.name in _SOUND_SERVERS:
            channels = min(channels, max(channel or 1, asked, _SOUND_SERVER_CHANNELS))
        if channel is not None and channel > channels:
            raise SourceLostError(f"input {self.name!r} has {channels} channels, and no channel {channel}")
        with quiet_stderr():
            self._open(found, channels, channel or 1)
        if (self.rate, self.channels) != (found.rate, channels):
            _log.warning(
                "input %r refuses %d Hz with %d channels; it is heard at %d Hz with %d",
                *(self.name, found.rate, channels, self.rate, self.channels),
            )

    def close(self) -> None:
        """Stop listening and give the device back."""
        self.queue.close()
        with quiet_stderr():
            self._stream.close(ignore_errors=True)

    def _open(self, found: InputDevice, channels: int, min_channels: int) -> None:
        """Open the device in its own format, or else in the first that it takes."""
        sd = portaudio.load()
        first: Exception | None = None
        refused = 0  # a number of channels
        for count, rate in _formats_to_try(channels, found.rate, min_channels):
            if count == refused:
                continue
            self.rate, self.channels, self.queue = rate, count, BlockQueue(rate)
            try:
                self._stream = sd.InputStream(
                    device=found.index,
                    samplerate=rate,
                    channels=count,
                    dtype="float32",
                    callback=self._receive,
                    finished_callback=self._finished,
                )
            except sd.PortAudioError as error:
                first = first or error
                code = error.args[1] if len(error.args) > 1 else None
                if code == _INVALID_CHANNELS:
                    refused = count
                elif code != _INVALID_RATE:
                    break
                continue
            try:
                self._stream.start()
            except sd.PortAudioError as error:
                self._stream.close(ignore_errors=True)
                first = error
                break
            return
        raise SourceLostError(f"input {self.name!r} cannot be opened: {portaudio.error_text(first)}") from first

    def _receive(self, indata: np.ndarray[Any, Any], frames: int, time: Any, status: Any) -> None:
        """Queue a block; in PortAudio's thread, from a buffer that it will use again."""
        # PortAudio's times are of the wall clock on some systems: the queue has a better one.
        self.queue.put(indata.copy(), bool(status.input_overflow))

    def _finished(self) -> None:
        """PortAudio will not call again: the device is gone, or we closed it."""
        self.queue.close(SourceLostError(f"input {self.name!r} was lost"))


def _formats_to_try(channels: int, rate: int, min_channels: int) -> Iterator[tuple[int, int]]:
    """Yield channels and rates to try, the device's own first, with at least so many channels."""
    for count in dict.fromkeys((channels, 2, 1)):
        if min_channels <= count <= channels:
            for other in dict.fromkeys((rate, *_FALLBACK_RATES)):
                yield count, other
