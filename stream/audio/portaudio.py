"""The PortAudio library, as python-sounddevice wraps it: loaded, started anew, and its errors in plain words."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
from typing import Any, Final

from stream.errors import RuntimeMissingError, SourceLostError
from stream.system.stderr import quiet_stderr

_ERRORS: Final = {
    -9999: "the sound system refuses",
    -9996: "it is gone",
    -9993: "it does not open",
    -9987: "it does not answer",
    -9985: "another program uses it, or it is gone",
}
"""PortAudio's error codes whose own texts say nothing to a user."""
_KEPT_LIBRARIES: Final = ("libpixman-1.so.0", "libgomp.so.1")
"""Libraries that ALSA's resampling plug-in loads, by way of FFmpeg."""


def load() -> Any:
    """Import `sounddevice`, which loads and starts PortAudio.

    Raises
    ------
    RuntimeMissingError
        When the PortAudio library is not installed.
    """
    try:
        import sounddevice  # not at the top: it looks for devices at once
    except OSError as error:
        raise RuntimeMissingError(
            "the PortAudio library is missing: apt install libportaudio2 (or run with --input demo)"
        ) from error
    # It would close what is open when the process ends, and never end where the sound server hangs. We close it while
    # we have time; the rest is the system's. There is no public way to ask for that.
    atexit.unregister(sounddevice._exit_handler)
    return sounddevice


def restart() -> None:
    """Have PortAudio look for devices again: it does so only when it starts. Closes all its streams.

    Raises
    ------
    SourceLostError
        When it finds no sound system.
    """
    sd = load()
    _keep_libraries_loaded()
    with quiet_stderr():
        # Private, but what the author of python-sounddevice advises, for want of a public way (its issues 3 and 125).
        with contextlib.suppress(sd.PortAudioError):  # it did not start the last time
            sd._terminate()
        try:
            sd._initialize()
        except sd.PortAudioError as error:
            raise SourceLostError(f"the sound system does not start: {error_text(error)}") from error


@functools.cache
def _keep_libraries_loaded() -> None:
    """Hold on to libraries that PortAudio would load and unload with each start.

    They allocate 12 KiB whenever they are loaded and never give it back: a device that is missing for a day would
    cost what a service has. Where they are not installed, ALSA does without.
    """
    for name in _KEPT_LIBRARIES:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name)


def error_text(error: Exception | None) -> str:
    """Return what is wrong in words for a user, with those of the sound system below PortAudio if it has any."""
    arguments = error.args if error is not None else ()
    text = str(arguments[0] if arguments else error).split("\n")[0]
    if len(arguments) > 1:
        text = _ERRORS.get(arguments[1], text)
    if len(arguments) > 2 and arguments[2][2]:
        text += f" ({arguments[2][2]})"
    return text
