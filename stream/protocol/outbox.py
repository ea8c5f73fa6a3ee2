"""What waits for somebody who may be slow."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

T = TypeVar("T")

CAPACITY: Final = 256
"""Events that may wait at the most. Of a state, only the newest waits."""

STATES: Final = frozenset({"hello", "label", "level", "spectrum", "status", "teaching", "settings", "check", "history"})
"""Types of which only the newest matters."""


class Outbox(Generic[T]):
    """Messages in the order in which they are to be taken.

    A newer state takes the place of an older one, at the end of the queue; an event waits until it is taken.
    """

    def __init__(self) -> None:
        self._items: dict[str | int, T] = {}  # states by type and line, events by number
        self._events = 0
        self._count = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, kind: str, item: T, line: str | None = None) -> bool:
        """Add a message.

        Parameters
        ----------
        kind : str
            Its type.
        item : T
            The message, in whatever form it is taken.
        line : str, optional
            The line that it is about: of the state of each, the newest waits.

        Returns
        -------
        bool
            False when it is an event and there are too many of them; then it is not added.
        """
        if kind in STATES:
            key = kind if line is None else f"{kind} {line}"
            self._items.pop(key, None)
            self._items[key] = item
            return True
        if self._events >= CAPACITY:
            return False
        self._items[self._count] = item
        self._count += 1
        self._events += 1
        return True

    def pop(self) -> T:
        """Take the message that comes next; there must be one."""
        key = next(iter(self._items))
        self._events -= isinstance(key, int)
        return self._items.pop(key)

    def drop_states(self) -> None:
        """Forget the states, which are out of date."""
        self._items = {key: item for key, item in self._items.items() if isinstance(key, int)}
