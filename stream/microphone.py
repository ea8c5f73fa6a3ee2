"""A microphone or line input, by PortAudio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stream.errors import RuntimeMissingError, SourceLostError
from stream.handoff import HandOff
from stream.quiet import quiet_stderr

# Names under which ALSA offers a sound server rather than a device: they offer any number of channels and invent
# those that the real input does not have.
_SERVERS: Final = frozenset({"default", "sysdefault", "pulse", "pipewire", "jack"})
_SERVER_CHANNELS: Final = 2
_CAPACITY_SECONDS: Final = 3.0
_ANCHOR_SECONDS: Final = 10.0


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


def devices() -> list[Device]:
    """List the inputs that PortAudio offers.

    Raises
    ------
    RuntimeMissingError
        When the PortAudio library is not installed.
    """
    sd = _sounddevice()
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
    """Let PortAudio look for devices anew: it lists them once, and never again by itself. Closes all its streams."""
    sd = _sounddevice()
    with quiet_stderr():
        sd._terminate()
        sd._initialize()


def find(name: str | None) -> Device:
    """Choose an input.

    Parameters
    ----------
    name : str, optional
        A part of the device's name, in any case; a device of exactly this name comes first, then the first that
        PortAudio lists. Without it, the default input.

    Raises
    ------
    SourceLostError
        When there is none.
    """
    inputs = devices()
    if name is None:
        chosen = [device for device in inputs if device.default]
        if not chosen:
            raise SourceLostError("no microphone or line input found")
        return chosen[0]
    matching = [device for device in inputs if name.casefold() in device.name.casefold()]
    if not matching:
        offered = ", ".join(repr(device.name) for device in inputs) or "none"
        raise SourceLostError(f"no input device named {name!r}; found: {offered}")
    return min(matching, key=lambda device: device.name.casefold() != name.casefold())


class Microphone:
    """An open input; see `stream.source.Source`.

    It runs at the device's own rate and block size with as many channels as the device has: no conversion that
    somebody else would choose for us.

    Parameters
    ----------
    device : str, optional
        A part of the name of the input; the default input without it.
    channel : int, optional
        The channel that will be listened to, counted from 1; it decides how many are asked of a sound server.

    Raises
    ------
    SourceLostError
        When there is no such device or channel, or it cannot be opened now.
    RuntimeMissingError
        When the PortAudio library is not installed.
    """

    def __init__(self, device: str | None, channel: int | None = None) -> None:
        sd = _sounddevice()
        found = find(device)
        self.name = found.name
        self.rate = found.rate
        self.channels = found.channels
        if found.name in _SERVERS:
            self.channels = min(found.channels, max(channel or 1, _SERVER_CHANNELS))
        if channel is not None and channel > self.channels:
            raise SourceLostError(f"input {self.name!r} has {self.channels} channels, and no channel {channel}")
        self.handoff = HandOff(round(_CAPACITY_SECONDS * self.rate))
        self._anchor: tuple[float, int] | None = None
        self._frames = 0
        try:
            with quiet_stderr():
                self._stream = sd.InputStream(
                    device=found.index,
                    samplerate=self.rate,
                    channels=self.channels,
                    dtype="float32",
                    callback=self._hear,
                    finished_callback=self._finished,
                )
                self._stream.start()
        except sd.PortAudioError as error:
            raise SourceLostError(f"input {self.name!r} cannot be opened: {_reason(error)}") from error

    def close(self) -> None:
        """Stop listening and give the device back."""
        self.handoff.close()
        with quiet_stderr():
            self._stream.close(ignore_errors=True)

    def _hear(self, indata: np.ndarray[Any, Any], frames: int, time: Any, status: Any) -> None:
        """Hand over a block; in PortAudio's thread, from a buffer that it will use again."""
        overflow = bool(status.input_overflow)
        self._frames += frames
        lost = self._missing(time.currentTime) if overflow else 0
        self._frames += lost
        if overflow or self._anchor is None or time.currentTime - self._anchor[0] > _ANCHOR_SECONDS:
            # Anew every few seconds, for the device's clock is not quite ours.
            self._anchor = (time.currentTime, self._frames)
        self.handoff.put(indata.copy(), lost, overflow)

    def _missing(self, now: float) -> int:
        """Frames that should have come since the anchor, and did not; PortAudio only says that some are missing."""
        if self._anchor is None:
            return 0
        since, frames = self._anchor
        return max(0, round((now - since) * self.rate) - (self._frames - frames))

    def _finished(self) -> None:
        """PortAudio will not call again: the device is gone, or we closed it."""
        self.handoff.close(SourceLostError(f"input {self.name!r} was lost"))


def _reason(error: Exception) -> str:
    """Return what PortAudio says without its internal numbers."""
    return str(error.args[0] if error.args else error).split("\n")[0]


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError as error:
        raise RuntimeMissingError(
            "the PortAudio library is missing: apt install libportaudio2 (or run with --input demo)"
        ) from error
    return sounddevice
