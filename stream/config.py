"""Settings of the service: from the command line, SOLOIST_* variables and a TOML file, in this order."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stream import bundle
from stream.errors import ConfigError
from stream.interpreter import Runtime
from stream.recognizer import GATE, HOP


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
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8765
    """Port to listen on; 0 lets the system choose."""
    token: str | None = None
    """What clients have to know; nothing without it."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """How much to tell on standard error."""

    def __post_init__(self) -> None:
        for name, least, most in (("port", 0, 65_535), ("threads", 1, 64), ("gate", -120.0, 0.0)):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(f"{name} is {value}; expected {least} to {most}")


def load(flags: Mapping[str, Any], variables: Mapping[str, str], file: str | Path | None = None) -> Settings:
    """Put the settings together.

    Parameters
    ----------
    flags : mapping
        What the command line says, without what it leaves open.
    variables : mapping
        The environment; those that begin with SOLOIST_ count.
    file : str or path, optional
        A TOML file with the names of `Settings` as its keys.

    Raises
    ------
    ConfigError
        When a setting is unknown or cannot be used. The text names where it stands, its value and what was expected.
    """
    hints = typing.get_type_hints(Settings)
    values: dict[str, Any] = {}
    for key, value in _read(file).items() if file is not None else ():
        if key not in hints:
            raise ConfigError(f"{file}: unknown setting {key!r}; known are {', '.join(hints)}")
        values[key] = _convert(value, hints[key], f"{file}: {key}")
    for key, hint in hints.items():
        variable = f"SOLOIST_{key.upper()}"
        if variable in variables:
            values[key] = _convert(_from_text(variables[variable], hint), hint, variable)
    values |= flags
    return Settings(**values)


def _read(file: str | Path) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from error


def _from_text(text: str, hint: Any) -> Any:
    """Turn the text of a variable into what TOML would have held, or leave it for `_convert` to refuse."""
    for kind in _kinds(hint):
        if kind is bool and text.lower() in ("1", "true", "yes", "0", "false", "no"):
            return text.lower() in ("1", "true", "yes")
        if kind is tuple:
            return [name.strip() for name in text.split(",") if name.strip()]
        if kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def _convert(value: Any, hint: Any, where: str) -> Any:
    """Check a value against the type of its setting."""
    kinds = _kinds(hint)
    if tuple in kinds and isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) == (bool in kinds):
        choices = [kind for kind in kinds if isinstance(kind, str)]
        if value in choices or any(isinstance(kind, type) and isinstance(value, kind) for kind in kinds):
            return value
    expected = " or ".join(kind if isinstance(kind, str) else _WORDS[kind] for kind in kinds if kind in _WORDS or
                           isinstance(kind, str))  # fmt: skip
    raise ConfigError(f"{where} is {value!r}; expected {expected}")


_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", tuple: "a list of texts"}


def _kinds(hint: Any) -> list[Any]:
    """Take a type apart: its plain types, and the texts of a Literal."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [kind for part in typing.get_args(hint) for kind in _kinds(part)]
    if typing.get_origin(hint) is Literal:
        return list(typing.get_args(hint))
    return [typing.get_origin(hint) or hint]


def names() -> list[str]:
    """Names of all settings."""
    return [field.name for field in dataclasses.fields(Settings)]
