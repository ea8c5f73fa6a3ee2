"""Tonight's line-up: which of a model's instruments may be named, and which are told of."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from stream.errors import ConfigError
from stream.recognition.bundle import Bundle
from stream.system.names import in_one_form, join_names, with_commas

ALL: Final = "all"
"""What stands for all that a model knows."""


def unknown_names(names: Collection[str], bundle: Bundle) -> list[str]:
    """Return those of the names of a line-up that a model does not know, each once, in their order."""
    known = {*bundle.instruments, ALL}
    return [name for name in dict.fromkeys(_read(names, bundle)) if name not in known]


def choose_lineup(names: Collection[str] | None, bundle: Bundle) -> tuple[str, ...]:
    """Return the instruments of a model that may be named, in its order.

    Parameters
    ----------
    names : collection of str, optional
        In any form of Unicode; ``all`` are all that the model knows. Without it, those that its bundle names.
    bundle : Bundle

    Raises
    ------
    ConfigError
        When a name is not one of the model's instruments, or there is none.
    """
    if isinstance(names, str):
        raise ConfigError(f"instruments is {names!r}; expected a collection of names")
    if names is None:
        return bundle.lineup or bundle.instruments
    strange = sorted(unknown_names(names, bundle))
    if strange or not names:
        what = ", ".join(repr(name) for name in strange) or "nothing"
        raise ConfigError(f"instruments name {what}; model {bundle.name} knows {join_names(bundle.instruments)}")
    wanted = _read(names, bundle)
    if ALL in wanted and ALL not in bundle.instruments:
        return bundle.instruments
    return tuple(name for name in bundle.instruments if name in wanted)


def told_names(lineup: Collection[str], bundle: Bundle) -> tuple[str, ...]:
    """Return the instruments whose probabilities are told to clients, in the model's order.

    They are those of tonight's line-up and of the bundle's own, so that a model that knows many and names few costs no
    more than one that knows these few.
    """
    usual = bundle.lineup or bundle.instruments
    return tuple(name for name in bundle.instruments if name in lineup or name in usual)


def _read(names: Collection[str], bundle: Bundle) -> tuple[str, ...]:
    return with_commas([*map(in_one_form, names)], bundle.instruments)
