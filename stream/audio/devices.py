"""The inputs that PortAudio offers, and how one of them is chosen."""

from __future__ import annotations

import re
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from stream.audio import portaudio
from stream.errors import SourceLostError
from stream.system.names import in_one_form
from stream.system.stderr import quiet_stderr

_ANSWER_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class InputDevice:
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


def list_devices(timeout: float = _ANSWER_SECONDS) -> list[InputDevice]:
    """List the inputs that PortAudio offers.

    Parameters
    ----------
    timeout : float
        Seconds that the sound system has to answer.

    Raises
    ------
    SourceLostError
        When the sound system does not say, or not in time.
    RuntimeMissingError
        When the PortAudio library is not installed.
    """
    answer: Future[list[InputDevice]] = Future()

    def ask() -> None:
        try:
            answer.set_result(_query_inputs())
        except BaseException as error:
            answer.set_exception(error)

    # In a thread, for what hangs in a library hears no signal; a daemon, for it may hang for ever.
    with quiet_stderr():
        threading.Thread(target=ask, name="devices", daemon=True).start()
        try:
            return answer.result(timeout)
        except TimeoutError:
            raise SourceLostError("the sound system does not answer") from None


def _query_inputs() -> list[InputDevice]:
    sd = portaudio.load()
    try:
        default = sd.default.device[0]
        apis = sd.query_hostapis()
        devices = sd.query_devices()
    except sd.PortAudioError as error:
        raise SourceLostError(f"the sound system lists no devices: {portaudio.error_text(error)}") from error
    return [
        InputDevice(
            index=device["index"],
            name=device["name"],
            api=apis[device["hostapi"]]["name"],
            channels=device["max_input_channels"],
            rate=round(device["default_samplerate"]),
            default=device["index"] == default,
        )
        for device in devices
        if device["max_input_channels"] > 0
    ]


def find_device(name: str | None, last: str | None = None, strict: bool = False) -> InputDevice:
    """Choose an input.

    Parameters
    ----------
    name : str, optional
        A part of the device's name, in any case; a device of exactly this name comes first, then the first that
        PortAudio lists. Without it, the default input.
    last : str, optional
        Name of the device that was heard before: it comes before all others, also as another card than it was.
    strict : bool
        Whether, without a name, only that one may be chosen.

    Raises
    ------
    SourceLostError
        When there is none.
    """
    inputs = _query_inputs()
    matching = inputs if name is None else [device for device in inputs if is_called(name, device.name)]
    if last is not None:
        same = [device for device in matching if _without_card_number(device.name) == _without_card_number(last)]
        if same:
            return min(same, key=lambda device: device.name != last)
        if name is None and strict:
            raise SourceLostError(f"input {last!r} is not there")
    if name is None:
        matching = [device for device in inputs if device.default]
        if not matching:
            raise SourceLostError("no microphone or line input found")
    if not matching:
        offered = ", ".join(repr(device.name) for device in inputs) or "none"
        raise SourceLostError(f"no input device named {name!r}; found: {offered}")
    return min(matching, key=lambda device: name is None or _folded(device.name) != _folded(name))


def is_called(part: str, name: str) -> bool:
    """Whether a name has this part, in any case."""
    return _folded(part) in _folded(name)


def _folded(name: str) -> str:
    """Return what of a name is compared: neither case nor how an accent is written."""
    return in_one_form(name).casefold()


def _without_card_number(name: str) -> str:
    """Return the name without the number of the card, which ALSA gives anew to whatever is plugged in."""
    return re.sub(r"\(hw:\d+", "(hw:", name)
