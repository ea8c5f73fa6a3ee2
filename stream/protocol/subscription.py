"""A client's subscription: what it says of it, and what of what comes it asked for."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from stream.errors import ConfigError, ProtocolError
from stream.protocol.filter import Filter, only_wanted, without_label
from stream.protocol.messages import Change, Guess, Label, Message, Pong, Segment
from stream.protocol.requests import Subscribe, parse
from stream.system.names import in_one_form, join_names, with_commas

_PING: Final = '{"type":"ping"}'


class Subscription:
    """What a client asked for, whatever the server's version is, and from the first message on.

    A server tells a client what others get until it has read the subscription, and one before version 0.3 lets pass
    what a match is followed by, with its name.

    Parameters
    ----------
    wanted : mapping
        Fields of a `subscribe` request; without any nothing is asked.

    Raises
    ------
    ConfigError
        When they make no request.
    """

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        self._wanted = dict(wanted)
        named = wanted.get("lines", ())
        self.request = self._read(wanted.get("instruments", ()), () if isinstance(named, str) else named)
        """What is asked."""
        self._filter = Filter(self.request)
        self._pongs = 0  # answers to pings that are still to come
        self._is_told = True  # whether this connection's server knows of it
        self._answer: Label | None = None

    def begin(self) -> list[str]:
        """Return what to say on a new connection."""
        self._pongs, self._is_told, self._answer = 1, not self._wanted, None
        return [_PING]  # a server that requires a token says so at once to who asks something without it

    def fit(self, labels: Collection[str], lines: Collection[str] = ()) -> list[str]:
        """Return what to say to a server that has told which instruments, and which lines, it knows.

        Raises
        ------
        ConfigError
            When some are asked for that it does not know.
        """
        if "instruments" in self._wanted:
            names = with_commas([*map(in_one_form, self._wanted["instruments"])], labels)
            spelled = {in_one_form(label): label for label in labels}
            if strange := [name for name in names if name not in spelled]:
                raise ConfigError(f"instruments name {join_names(strange)}; the server knows {join_names(labels)}")
            self._wanted["instruments"] = [spelled[name] for name in names]
        self.request = self._read(labels, lines)
        self._filter = Filter(self.request)
        if self._is_told:
            return []
        self._is_told = True
        self._pongs += 1
        # Whatever is told before this ping's answer may come from before the subscription.
        return [json.dumps({"type": "subscribe", **self._wanted}), _PING]

    def take(self, message: Message) -> Message | None:
        """Return what of a message was asked for; None for nothing."""
        if self._pongs or not self._is_told:
            if isinstance(message, Pong):
                self._pongs -= 1
                if self._pongs or not self._is_told or self._answer is None:
                    return None
                message, self._answer = self._answer, None
                return self._as_asked(message)
            if isinstance(message, Label) and self._wanted:
                self._answer = message  # the last one before the pong is the answer
                return None
            if isinstance(message, Change | Segment | Guess) and message.type not in self.request.types:
                return None
        return self._as_asked(message)

    def _read(self, known: Collection[str], lines: Collection[str]) -> Subscribe:
        try:
            request = parse(json.dumps({"type": "subscribe", **self._wanted}), [*map(in_one_form, known)], lines)
        except ProtocolError as error:
            raise ConfigError(str(error)) from error
        assert isinstance(request, Subscribe)
        return request

    def _as_asked(self, message: Message) -> Message | None:
        match message:
            case Label() if not self._filter.matches(message.label, message.confidence):
                return without_label(message, self.request)
            case Change():
                return only_wanted(message, self.request)
            case Segment() | Guess() if not self._filter.matches(message.label, message.confidence):
                return None
            case _:
                return message
