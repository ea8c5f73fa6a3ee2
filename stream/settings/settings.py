"""Settings of the service: from the command line, SOLOIST_* variables and a TOML file, in this order."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from stream.errors import ConfigError
from stream.recognition import bundle
from stream.recognition.interpreter import Runtime
from stream.recognition.recognizer import GATE, HOP
from stream.settings import values
from stream.system import files as regular

if typing.TYPE_CHECKING:
    from stream.settings.toml_lines import Statement

_FILE_BYTES: Final = 16_384
_RANGES: Final[dict[str, tuple[float, float]]] = {
    "channel": (1, 256),
    "hop": (0.02, 2.97),
    "gate": (-120, 0),
    "threads": (1, 64),
    "port": (0, 65_535),
    "connections": (1, 10_000),
    "connections_per_address": (1, 10_000),
    "session_log_days": (1, 36_500),
    "session_log_megabytes": (2, 100_000),
}
_HOST: Final = "127.0.0.1"
_EXAMPLES: Final = {"hosts": "stage.example.org", "origins": "https://desk.example.org"}
"""Of a setting that takes several of them."""
_SECRET: Final = frozenset({"token"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that `soloist run` can be told."""

    input: str = "mic"
    """`mic`, `demo`, the path of an audio file, or `-` for raw PCM on standard input."""
    device: str | None = None
    """A part of the name of the microphone or line input; it is waited for."""
    wait: bool = False
    """Whether to wait for a microphone where there is none."""
    channel: int | None = None
    """The channel to listen to, counted from 1; the average of all without it."""
    pcm: str = "s16le:44100:1"
    """Form of the audio on standard input: s16le or f32le, rate in Hz, channels."""
    loop: bool = False
    """Whether a file begins again at its end."""
    instruments: tuple[str, ...] | None = None
    """Tonight's line-up: only these are named."""
    hop: float = HOP
    """From one estimate to the next, in seconds."""
    gate: float = GATE
    """RMS level below which it is silent, in dBFS."""
    model: str = bundle.DEFAULT
    """Name of a shipped model, or the path of a .tflite file."""
    runtime: Runtime = "auto"
    """TFLite interpreter: auto, litert or tflite."""
    threads: int = 1
    """Threads for one inference."""
    host: str = _HOST
    """Address to listen on."""
    port: int = 8765
    """Port to listen on; 0 lets the system choose."""
    token: str | None = None
    """What clients have to know; nothing without it."""
    token_file: str | None = None
    """A file that holds the token."""
    open: bool = False
    """Whether everybody may come in who reaches an address other than loopback, without a token."""
    hosts: tuple[str, ...] | None = None
    """What the server is called besides its addresses and the machine's name."""
    origins: tuple[str, ...] | None = None
    """Other pages than the server's own that may connect, as scheme://host:port."""
    certificate: str | None = None
    """PEM file with a certificate, to serve with TLS."""
    key: str | None = None
    """PEM file with its key; it is in the file of the certificate without it."""
    connections: int = 600
    """WebSocket connections at the most."""
    connections_per_address: int = 32
    """WebSocket connections of one address other than loopback at the most."""
    session_log: str | None = None
    """File of the session log, or `off`; in the folder for such things without it."""
    session_log_days: int = 90
    """Age of the oldest that is kept in it."""
    session_log_megabytes: int = 64
    """Size of it at the most."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """How much to tell on standard error."""
    log_format: Literal["text", "json"] = "text"
    """Lines for people, or a JSON object per line."""

    def __post_init__(self) -> None:
        for name in names():
            value = getattr(self, name)
            if (expected := _unfit(name, value)) is not None:
                raise ConfigError(f"{name} is {show(name, value)}; expected {expected}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found, and where."""

    values: dict[str, Any] = field(default_factory=dict)
    """Those that can be used; a setting that is missing has its default."""
    origins: dict[str, str] = field(default_factory=dict)
    """Where each value stands: FILE:LINE, a variable or a flag."""
    file: str | Path | None = None
    """The file that was read."""
    problems: list[str] = field(default_factory=list)
    """What cannot be used, a line each: where it stands, its value and what was expected."""

    @property
    def settings(self) -> Settings:
        """The settings so far as they can be used."""
        return Settings(**self.values)

    def called(self, key: str) -> str:
        """Name a setting by the place that decided it, for a message."""
        return _called(key, self.origins[key]) if key in self.origins else key

    def in_order(self, problems: Iterable[str]) -> list[str]:
        """Put problems in the order in which the settings stand in the file; all others keep theirs, after them."""

        def line(problem: str) -> float:
            found = re.match(r":(\d+):", problem.removeprefix(str(self.file))) if self.file is not None else None
            return int(found[1]) if found is not None and problem.startswith(str(self.file)) else float("inf")

        return sorted(problems, key=line)

    def placed(self, message: object) -> str:
        """Put the place of a setting into a message that begins with its name."""
        key, space, rest = str(message).partition(" ")
        return f"{self.called(key)}{space}{rest}"


def load(flags: Mapping[str, Any], variables: Mapping[str, str], file: str | Path | None = None) -> Settings:
    """Put the settings together.

    Parameters
    ----------
    flags : mapping
        What the command line says, without what it leaves open; texts are read as those of variables are.
    variables : mapping
        The environment; those that begin with SOLOIST_ count, and those that are empty do not.
    file : str or path, optional
        A TOML file with the names of `Settings` as its keys.

    Raises
    ------
    ConfigError
        When a setting is unknown or cannot be used. The text names where it stands, its value and what was expected.
    """
    reading = read(flags, variables, file)
    refuse(reading.problems)
    return reading.settings


def refuse(problems: list[str]) -> None:
    """Raise the first problem as a `ConfigError` of one line, if there is any."""
    if problems:
        raise ConfigError(in_short(problems))


def in_short(problems: list[str]) -> str:
    """Tell problems in one line: the first, and how many more there are."""
    more = f" (and {len(problems) - 1} more: soloist config check)" if len(problems) > 1 else ""
    return problems[0] + more


def read(flags: Mapping[str, Any], variables: Mapping[str, str], file: str | Path | None = None) -> Reading:
    """Find all settings and everything that is wrong with them; for the parameters see `load`."""
    hints = typing.get_type_hints(Settings)
    reading = Reading(file=file)

    def put(key: str, value: Any, origin: str) -> None:
        value, is_it = values.convert(value, hints[key])
        expected = _unfit(key, value) if is_it else _words(key, hints[key])
        if expected is not None:
            reading.problems.append(f"{_called(key, origin)} is {show(key, value)}; expected {expected}")
        else:
            reading.values[key], reading.origins[key] = value, origin

    if file is not None:
        for key, statement in _read(file, hints, reading.problems).items():
            origin = f"{file}:{statement.line}"
            if key in hints:
                put(key, statement.value, origin)
            elif isinstance(statement.value, dict):
                reading.problems.append(
                    f"{origin}: unknown table {values.written(key)}; settings stand outside of tables"
                )
            else:
                reading.problems.append(
                    f"{origin}: unknown setting {values.written(key)}; {values.closest(key, hints)}"
                )
    for key, hint in hints.items():
        variable = f"SOLOIST_{key.upper()}"
        if variables.get(variable):
            put(key, values.from_text(variables[variable], hint), variable)
    for key, value in flags.items():
        told = values.from_text(value, hints[key]) if isinstance(value, str) else value
        put(key, list(told) if isinstance(told, tuple) else told, f"--{key.replace('_', '-')}")
    return reading


def names() -> list[str]:
    """Names of all settings."""
    return [setting.name for setting in dataclasses.fields(Settings)]


def show(key: str, value: object) -> str:
    """Write a value as TOML has it, shortened, and never a secret."""
    if key in _SECRET and value is not None:
        return "(hidden)"
    return values.written(value)


def _called(key: str, origin: str) -> str:
    """Name a setting in a message: by its variable or flag, or by its line in the file."""
    return f"{origin}: {key}" if ":" in origin else origin


def _read(file: str | Path, hints: Mapping[str, Any], problems: list[str]) -> dict[str, Statement]:
    """Read what stands in a file."""
    # Only here, for the service needs no TOML to start without a file.
    from stream.settings.toml_lines import StatementError, parse

    try:
        content = regular.read(file, _FILE_BYTES + 1)
        if len(content) > _FILE_BYTES:
            raise ValueError(f"it is longer than the {_FILE_BYTES} bytes that a file of settings may have")
        return parse(content.decode("utf-8-sig"))
    except OSError as error:
        problems.append(f"{file}: {error.strerror}")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.append(f"{file}:{line}: byte 0x{content[error.start]:02x} is not UTF-8; expected text in UTF-8")
    except ValueError as error:
        problems.append(f"{file}: {error}")
    except StatementError as error:
        what, expected = f"{error.key}: " if error.key else "", ""
        if error.key is not None and error.key in hints:
            # The value of anything else is not told: it may be a secret whose name is misspelt.
            value = f" is {values.short(error.value or '')}" if error.key not in _SECRET else ""
            what, expected = f"{error.key}{value}: ", f"; expected {_words(error.key, hints[error.key])}"
        problems.append(f"{file}:{error.line}: {what}{error.reason}{expected}")
    return {}


def _words(key: str, hint: Any) -> str:
    """Say what a setting takes."""
    return f'a list of texts such as ["{_EXAMPLES[key]}"]' if key in _EXAMPLES else values.words(hint)


def _unfit(key: str, value: Any) -> str | None:
    """Say what was expected of a value of the right type, if it is not that."""
    if key in _RANGES and value is not None:
        least, most = _RANGES[key]
        return None if least <= value <= most else f"{least} to {most}"
    if value == "":
        return "a text that is not empty"
    if value == ():
        return "at least one name"
    if value is not None and value != _HOST and key in ("host", "hosts", "origins", "token"):
        from stream.server import access as gate

        return gate.unfit(key, value)
    if key == "pcm":
        from stream.audio.file import Pcm

        try:
            Pcm.parse(value)
        except ConfigError as error:
            return str(error).partition("expected ")[2]
    return None
