"""Subscribers by what they get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from stream.protocol.filter import Filter
from stream.protocol.messages import Message

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Group(Generic[T]):
    filter: Filter
    members: dict[T, None] = field(default_factory=dict)  # in the order in which they came


class SubscriberGroups(Generic[T]):
    """Groups of subscribers whose filters decide alike, so that each message is looked at once for each group.

    Hundreds of clients have few subscriptions, most of them the default one.
    """

    def __init__(self) -> None:
        self._groups: list[_Group[T]] = []
        self._group_of: dict[T, _Group[T]] = {}

    def __len__(self) -> int:
        return len(self._group_of)

    def __iter__(self) -> Iterator[T]:
        return iter(self._group_of)

    def join(self, subscriber: T, new: Filter) -> None:
        """Let a subscriber get what a filter admits from now on, instead of what it got so far."""
        self.leave(subscriber)
        group = next((it for it in self._groups if it.filter == new), None)
        if group is None:
            group = _Group(new)
            self._groups.append(group)
        group.members[subscriber] = None
        self._group_of[subscriber] = group

    def leave(self, subscriber: T) -> None:
        """Let a subscriber get nothing any more."""
        group = self._group_of.pop(subscriber, None)
        if group is not None:
            del group.members[subscriber]
            if not group.members:
                self._groups.remove(group)

    def wants(self, kind: str) -> bool:
        """Whether anybody subscribes to a type of message."""
        return bool(self.wanted_of(kind))

    def wanted_of(self, kind: str) -> frozenset[str | None]:
        """Return the lines of which somebody subscribes to a type of message; None is the one in front."""
        wishes = (group.filter.subscription for group in self._groups)
        lines = [it.lines or {None} for it in wishes if kind in it.types]
        return frozenset[str | None]().union(*lines)

    def receivers(self, message: Message, line: str | None = None) -> list[tuple[Message, list[T]]]:
        """Return what of a message is sent, and to whom; to be asked once for each.

        With a line it is told of that; without one, of the line in front, or of all of the service.

        What all subscribers get alike stands there once, whatever their subscriptions are.
        """
        told: list[tuple[Message, list[T]]] = []
        as_it_is: list[T] = []
        for group in self._groups:
            for seen in group.filter.admit(message, line):
                if seen is message:
                    as_it_is.extend(group.members)
                else:
                    told.append((seen, list(group.members)))
        # It comes last, for what is made of it comes before it.
        return [*told, (message, as_it_is)] if as_it_is else told
