"""The values of settings: of which type they are, and what was probably meant."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterable
from typing import Any, Final, Literal

from stream.system.fields import Field
from stream.system.names import in_one_form, join_names, split_names

_WORDS: Final[dict[Any, str]] = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: 'a list of texts such as ["flute", "piano"]',
}


def from_text(text: str, hint: Any) -> Any:
    """Turn the text of a variable into what TOML would have held, or leave it for `convert` to refuse."""
    for kind in _kinds(hint):
        if kind is bool and text.lower() in ("1", "true", "yes", "0", "false", "no"):
            return text.lower() in ("1", "true", "yes")
        if kind is tuple:
            return list(split_names(text))
        if kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def convert(value: Any, hint: Any) -> tuple[Any, bool]:
    """Bring a value to the type of its setting, and say whether it has that now."""
    kinds = _kinds(hint)
    if tuple in kinds and isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(map(in_one_form, value)), True
    if float in kinds and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64:
        return float(value), True
    if isinstance(value, bool) == (bool in kinds):
        choices = [kind for kind in kinds if isinstance(kind, str)]
        if value in choices or any(isinstance(kind, type) and isinstance(value, kind) for kind in kinds):
            return value, True
    return value, False


def closest(name: str, known: Iterable[str]) -> str:
    """Return what was probably meant, as the end of a message that says what was not found."""
    known = list(known)
    near = nearest(name, known)
    return f"known are {join_names(known)}" if near is None else f"did you mean {join_names([near])}?"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return what was probably meant."""
    import difflib

    folded = {it.casefold(): it for it in known}
    near = difflib.get_close_matches(name.casefold(), folded, 1)
    return folded[near[0]] if near else None


def words(field: Field) -> str:
    """Say what a setting takes, by its type."""
    if field.example is not None:
        return f"a list of texts such as [{json.dumps(field.example)}]"
    kinds = [kind for kind in _kinds(field.hint) if kind is not types.NoneType]
    return " or ".join(json.dumps(kind) if isinstance(kind, str) else _WORDS[kind] for kind in kinds)


def _kinds(hint: Any) -> list[Any]:
    """Take a type apart: its plain types, and the texts of a Literal."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [kind for part in typing.get_args(hint) for kind in _kinds(part)]
    if typing.get_origin(hint) is Literal:
        return list(typing.get_args(hint))
    return [typing.get_origin(hint) or hint]
