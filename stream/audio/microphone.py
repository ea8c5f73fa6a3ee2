"""A microphone or line input, by PortAudio."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stream.audio.block_queue import HandOff
from stream.errors import RuntimeMissingError, SourceLostError
from stream.system.stderr import quiet_stderr

# Names under which ALSA offers a sound server rather than a device: they offer any number of channels and invent
# those that the real input does not have.
_SERVERS: Final = frozenset({"default", "sysdefault", "pulse", "pipewire", "jack"})
_SERVER_CHANNELS: Final = 2
_RATES: Final = (48_000, 44_100, 32_000, 22_050, 16_000, 96_000, 192_000, 88_200, 24_000, 11_025, 8_000)
_INVALID_RATE: Final = -9997
_INVALID_CHANNELS: Final = -9998
_WORDS: Final = {
    -9999: "the sound system refuses",
    -9996: "it is not there any more",
    -9993: "it does not open",
    -9987: "it does not answer",
    -9985: "another program uses it, or it is gone",
}
"""What PortAudio's numbers mean, where its own words say nothing to a person."""
_ANSWER_SECONDS: Final = 10.0
_UNLOADED: Final = ("libpixman-1.so.0", "libgomp.so.1")
"""Libraries that ALSA's resampling plug-in brings along, by way of FFmpeg."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Device:
    """An input that PortAudio offers."""

    index: int
    """PortAudio's, which changes from boot to boot."""
    name: str
    api: str
    """The host's sound system, ALSA for instance."""
    channels: int
    rate: int
    """The device's own, in Hz."""
    default: bool


def devices(patience: float = _ANSWER_SECONDS) -> list[Device]:
    """List the inputs that PortAudio offers.

    Parameters
    ----------
    patience : float
        With the sound system, in seconds.

    Raises
    ------
    SourceLostError
        When the sound system does not say, or not in time.
    RuntimeMissingError
        When the PortAudio library is not installed.
    """
    answer: Future[list[Device]] = Future()

    def ask() -> None:
        try:
            answer.set_result(_inputs())
        except BaseException as error:
            answer.set_exception(error)

    # In a thread, for what hangs in a library hears no signal; a daemon, for it may hang for ever.
    with quiet_stderr():
        threading.Thread(target=ask, name="devices", daemon=True).start()
        try:
            return answer.result(patience)
        except TimeoutError:
            raise SourceLostError("the sound system does not answer") from None


def _inputs() -> list[Device]:
    sd = _sounddevice()
    try:
        return _devices(sd)
    except sd.PortAudioError as error:
        raise SourceLostError(f"the sound system names no devices: {_reason(error)}") from error


def _devices(sd: Any) -> list[Device]:
    default = sd.default.device[0]
    apis = sd.query_hostapis()
    return [
        Device(
            index=device["index"],
            name=device["name"],
            api=apis[device["hostapi"]]["name"],
            channels=device["max_input_channels"],
            rate=round(device["default_samplerate"]),
            default=device["index"] == default,
        )
        for device in sd.query_devices()
        if device["max_input_channels"] > 0
    ]


def refresh() -> None:
    """Let PortAudio look for devices anew: it lists them once, and never again by itself. Closes all its streams.

    Raises
    ------
    SourceLostError
        When it finds no sound system.
    """
    sd = _sounddevice()
    _keep_loaded()
    with quiet_stderr():
        with contextlib.suppress(sd.PortAudioError):  # it did not start the last time
            sd._terminate()
        try:
            sd._initialize()
        except sd.PortAudioError as error:
            raise SourceLostError(f"the sound system does not start: {_reason(error)}") from error


@functools.cache
def _keep_loaded() -> None:
    """Hold on to libraries that a look for devices would load and unload.

    They allocate 12 KiB whenever they are loaded and never give it back: a device that is missing for a day would
    cost what a service has. Where they are not installed, ALSA does without.
    """
    for name in _UNLOADED:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name)


def find(name: str | None, last: str | None = None, strict: bool = False) -> Device:
    """Choose an input.

    Parameters
    ----------
    name : str, optional
        A part of the device's name, in any case; a device of exactly this name comes first, then the first that
        PortAudio lists. Without it, the default input.
    last : str, optional
        Name of the device that was heard before: it comes before all others, also as another card than it was.
    strict : bool
        Whether, without a name, only that one will do.

    Raises
    ------
    SourceLostError
        When there is none.
    """
    inputs = _inputs()
    fitting = inputs if name is None else [it for it in inputs if name.casefold() in it.name.casefold()]
    if last is not None:
        same = [device for device in fitting if _stem(device.name) == _stem(last)]
        if same:
            return min(same, key=lambda device: device.name != last)
        if name is None and strict:
            raise SourceLostError(f"input {last!r} is not there")
    if name is None:
        fitting = [device for device in inputs if device.default]
        if not fitting:
            raise SourceLostError("no microphone or line input found")
    if not fitting:
        offered = ", ".join(repr(device.name) for device in inputs) or "none"
        raise SourceLostError(f"no input device named {name!r}; found: {offered}")
    return min(fitting, key=lambda device: name is None or device.name.casefold() != name.casefold())


class Microphone:
    """An open input; see `stream.audio.source.Source`.

    It runs at the device's own rate and block size with as many channels as the device has: no conversion that
    somebody else would choose for us. Where a device refuses what it says is its own, the first that it takes will do.

    Parameters
    ----------
    device : str, optional
        A part of the name of the input; the default input without it.
    channel : int, optional
        The channel that will be listened to, counted from 1; it decides how many are asked of a sound server.
    last, strict : str, optional, and bool
        The device that was heard before, see `find`.

    Raises
    ------
    SourceLostError
        When there is no such device or channel, or it cannot be opened now.
    RuntimeMissingError
        When the PortAudio library is not installed.
    """

    def __init__(
        self, device: str | None, channel: int | None = None, last: str | None = None, strict: bool = False
    ) -> None:
        found = find(device, last, strict)
        self.name = found.name
        channels = found.channels
        if found.name in _SERVERS:
            channels = min(channels, max(channel or 1, _SERVER_CHANNELS))
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
        self.handoff.close()
        with quiet_stderr():
            self._stream.close(ignore_errors=True)

    def _open(self, found: Device, channels: int, least: int) -> None:
        """Open the device as it says that it is, or else as it can be."""
        sd = _sounddevice()
        first: Exception | None = None
        refused = 0  # a number of channels
        for count, rate in _forms(channels, found.rate, least):
            if count == refused:
                continue
            self.rate, self.channels, self.handoff = rate, count, HandOff(rate)
            try:
                self._stream = sd.InputStream(
                    device=found.index,
                    samplerate=rate,
                    channels=count,
                    dtype="float32",
                    callback=self._hear,
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
        raise SourceLostError(f"input {self.name!r} cannot be opened: {_reason(first)}") from first

    def _hear(self, indata: np.ndarray[Any, Any], frames: int, time: Any, status: Any) -> None:
        """Hand over a block; in PortAudio's thread, from a buffer that it will use again."""
        # PortAudio's times are of the wall clock on some systems: the hand-off has a better one.
        self.handoff.put(indata.copy(), bool(status.input_overflow))

    def _finished(self) -> None:
        """PortAudio will not call again: the device is gone, or we closed it."""
        self.handoff.close(SourceLostError(f"input {self.name!r} was lost"))


def _forms(channels: int, rate: int, least: int) -> Iterator[tuple[int, int]]:
    """Yield channels and rates to try, the device's own first, with at least so many channels."""
    for count in dict.fromkeys((channels, 2, 1)):
        if least <= count <= channels:
            for other in dict.fromkeys((rate, *_RATES)):
                yield count, other


def _stem(name: str) -> str:
    """Return the name without the number of the card, which ALSA gives anew to whatever is plugged in."""
    return re.sub(r"\(hw:\d+", "(hw:", name)


def _reason(error: Exception | None) -> str:
    """Return what is wrong in words for a person, with those of the sound system below PortAudio if it has any."""
    arguments = error.args if error is not None else ()
    text = str(arguments[0] if arguments else error).split("\n")[0]
    if len(arguments) > 1:
        text = _WORDS.get(arguments[1], text)
    if len(arguments) > 2 and arguments[2][2]:
        text += f" ({arguments[2][2]})"
    return text


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError as error:
        raise RuntimeMissingError(
            "the PortAudio library is missing: apt install libportaudio2 (or run with --input demo)"
        ) from error
    # It would close what is open when the process ends, and never end where the sound server hangs. We close it while
    # we have time; the rest is the system's.
    atexit.unregister(sounddevice._exit_handler)
    return sounddevice
