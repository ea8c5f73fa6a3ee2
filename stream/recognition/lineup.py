"""Tonight's line-up: which of a model's instruments may be named."""

from __future__ import annotations

from collections.abc import Collection

from stream.errors import ConfigError
from stream.recognition.bundle import Bundle
from stream.system.names import in_one_form, join_names, with_commas


def choose_lineup(names: Collection[str] | None, bundle: Bundle) -> tuple[str, ...]:
    """Return the instruments of a model that may be named, in its order.

    Parameters
    ----------
    names : collection of str, optional
        In any form of Unicode. All of the model's instruments without it.
    bundle : Bundle

    Raises
    ------
    ConfigError
        When a name is not one of the model's instruments, or there is none.
    """
    if isinstance(names, str):
        raise ConfigError(f"instruments is {names!r}; expected a collection of names")
    if names is None:
        return bundle.instruments
    wanted = with_commas([*map(in_one_form, names)], bundle.instruments)
    strange = sorted(set(wanted) - set(bundle.instruments))
    if strange or not wanted:
        what = ", ".join(repr(name) for name in strange) or "nothing"
        raise ConfigError(f"instruments name {what}; model {bundle.name} knows {join_names(bundle.instruments)}")
    return tuple(name for name in bundle.instruments if name in wanted)
