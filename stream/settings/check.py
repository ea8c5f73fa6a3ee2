"""What only the model, the interpreter and the files can say of the settings."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from stream.audio.converter import check_channel
from stream.audio.pcm import PcmFormat
from stream.audio.settings import AudioSettings
from stream.audio.sound_file import demo_path, open_sound_file
from stream.errors import ConfigError, ModelError, RuntimeMissingError, SourceError, TeachError
from stream.players.folder import taught_heads
from stream.recognition import bundle
from stream.recognition.bundle import Bundle
from stream.recognition.classifier import Classifier
from stream.recognition.lineup import ALL, unknown_names
from stream.recognition.taught import with_names
from stream.server.access import Access
from stream.settings import values
from stream.settings.exposure import exposures
from stream.settings.reading import Reading
from stream.settings.settings import declared, names
from stream.system.fields import written
from stream.system.files import is_pipe

_DEFAULTS: Final = AudioSettings()
_EFFECT: Final = {"mic": {"device", "wait"}, "demo": set[str](), "-": {"pcm"}, "file": {"loop"}}
"""Which settings have an effect with this input alone."""
_ABOUT_INPUT: Final = set[str]().union(*_EFFECT.values())


def problems(reading: Reading) -> list[str]:
    """Try everything that the settings name, as far as that can be known without a device.

    Returns
    -------
    list of str
        A line for each setting that cannot be used: where it stands, its value and what is wrong with it. Those of the
        file come first, in its order.
    """
    found = [
        *_model_problems(reading),
        *_line_problems(reading),
        *_access_problems(reading),
        *_input_problems(reading),
        *_host_problems(reading),
        *_log_problems(reading),
    ]
    return reading.in_order(found)


def next_problems(reading: Reading, later: Collection[str]) -> list[str]:
    """Say what would keep the next start from success, of what comes into force with that alone.

    Parameters
    ----------
    reading : Reading
    later : collection of str
        Names of the settings that are other than now, and cannot change before.
    """
    found = _access_problems(reading)
    if not {"input", "channel", "pcm", "loop"}.isdisjoint(later):
        found += _input_problems(reading)
    if "host" in later:
        found += _host_problems(reading)
    return reading.in_order(found)


def _model_problems(reading: Reading) -> list[str]:
    settings = reading.settings.recognition
    found = []
    try:
        model = bundle.load(settings.model)
        names, faults = _taught_names(reading, model)
        found += [*faults, *strangers(reading, with_names(model, names))]
        Classifier(model, runtime=settings.runtime, threads=settings.threads)
    except ModelError as error:
        found.append(_said(reading, "model", error))
    except RuntimeMissingError as error:
        found.append(_said(reading, "runtime", error))
    return found


def _line_problems(reading: Reading) -> list[str]:
    """See whether the model knows what lines are to name."""
    lines = reading.lines.lines
    if not lines:
        return []
    try:
        model = bundle.load(reading.settings.recognition.model)
    except ModelError:  # which is told by itself
        return []
    model = with_names(model, _taught_names(reading, model)[0])
    return [
        f"line {written(line.name)} names {written(name)}, which model {model.name} does not know; "
        + values.closest(name, (*model.instruments, *([ALL] if model.lineup else [])))
        for line in lines
        for name in unknown_names(line.instruments or (), model)
    ]


def _taught_names(reading: Reading, model: Bundle) -> tuple[list[str], list[str]]:
    """Return who is taught, and what keeps all of that from being used; a single file never does."""
    path = reading.settings.recognition.players
    if path is not None and (model.outputs is None or model.outputs.embedding is None):
        return [], [_said(reading, "players", f"model {model.name} has no embedding, so that nobody can be taught")]
    try:
        return [head.name for head in taught_heads(path, model, lambda _: None)], []
    except TeachError as error:
        return [], [_said(reading, "players", error)]


def _access_problems(reading: Reading) -> list[str]:
    try:
        Access.of(reading.settings.server)
    except ConfigError as error:
        return [reading.placed(error)]
    return []


def _input_problems(reading: Reading) -> list[str]:
    """Open a file or the demo, but no device; and compare the channel with those that there are."""
    settings = reading.settings.audio
    if settings.input == "mic":
        return []
    try:
        if is_pipe(settings.input):  # which would lose what is read here
            channels = PcmFormat.parse(settings.pcm).channels
        else:
            is_demo = settings.input == "demo"
            with (
                demo_path() if is_demo else nullcontext(settings.input) as path,
                open_sound_file(path, settings.loop) as sound,
            ):
                channels = sound.channels
        check_channel(settings.channel, channels)
    except SourceError as error:
        return [_said(reading, "input", error)]
    except ConfigError as error:
        return [reading.placed(error)]
    return []


def _host_problems(reading: Reading) -> list[str]:
    """Ask for the address; whether it is one of this machine may change, so that this is not asked."""
    settings = reading.settings.server
    try:
        socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        return [_said(reading, "host", error.strerror)]
    return []


def _log_problems(reading: Reading) -> list[str]:
    """See whether a log that is named can be written."""
    settings = reading.settings.session_log
    if settings.file is None or settings.is_off:
        return []
    path = Path(settings.file)
    folder = next(it for it in path.absolute().parents if it.exists())
    fault = None
    if path.exists() and not path.is_file():
        fault = "it is not a file"
    elif not folder.is_dir():
        fault = f"{folder} is not a folder"
    elif not os.access(folder, os.W_OK | os.X_OK):
        fault = f"files cannot be written in {folder}"
    elif path.exists() and not os.access(path, os.R_OK | os.W_OK):
        fault = "it cannot be read and written"
    return [] if fault is None else [_said(reading, "session_log", fault)]


def notes(reading: Reading) -> list[str]:
    """Name settings in an old form or without effect, a certificate that ends, and secrets that others may know."""
    audio = reading.settings.audio
    chosen = audio.input
    kind = chosen if chosen in _EFFECT else "-" if is_pipe(chosen) else "file"
    found = [] if reading.outdated is None else [reading.outdated]
    found += [
        f"{reading.called(name)} has no effect with input {written(chosen)}"
        for name in reading.origins
        if name in _ABOUT_INPUT - _EFFECT[kind]
        if getattr(audio, name) != getattr(_DEFAULTS, name)
    ]
    if reading.lines and audio.channel is not None:
        found.append(f"{reading.called('channel')} has no effect beside lines, which have channels of their own")
    lineup = reading.settings.recognition.instruments or ()
    found += [f"{reading.called('instruments')} names {written(name)} twice" for name in _repeated(lineup)]
    with contextlib.suppress(ConfigError):  # which is among the problems
        if (warning := Access.of(reading.settings.server).certificate_warning) is not None:
            found.append(reading.placed(warning))
    return found + exposures(reading)


def _repeated(names: Sequence[str]) -> list[str]:
    """Return what is there more than once."""
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _said(reading: Reading, name: str, what: object) -> str:
    setting = declared()[name]
    return f"{reading.called(name)} is {setting.field.written(setting.of(reading.settings))}: {what}"


def strangers(reading: Reading, model: Bundle) -> list[str]:
    """Say which instruments of the line-up the model does not know, a line each."""
    return [
        f"{reading.called('instruments')} names {written(name)}, which model {model.name} does not know; "
        + values.closest(name, (*model.instruments, *([ALL] if model.lineup else [])))
        for name in unknown_names(reading.settings.recognition.instruments or (), model)
    ]


def table(reading: Reading) -> str:
    """Write each setting with its value and where it comes from."""
    settings = reading.settings
    rows = [
        (name, setting.field.written(setting.of(settings)), reading.origins.get(name, "default"))
        for name, setting in declared().items()
    ]
    rows += [("line", f"{written(it.name)} = {written(it.channels)}", "lines") for it in reading.lines.lines]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "".join(f"{name:{widths[0]}}  {value:{widths[1]}}  {origin}\n" for name, value, origin in rows)


def strays(variables: Mapping[str, str]) -> list[str]:
    """Name the variables that look like settings and are none. They are no fault: Kubernetes sets such of its own."""
    prefix, known = "SOLOIST_", [name.upper() for name in (*names(), "config", "ca", "line")]
    found = []
    for variable in sorted(variables):
        name = variable.removeprefix(prefix)
        if variable.startswith(prefix) and name not in known:
            near = values.nearest(name, known)
            found.append(f"{variable} is not a setting" + ("" if near is None else f"; did you mean {prefix}{near}?"))
    return found
