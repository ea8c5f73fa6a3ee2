"""A client's subscription: what it says of it, and what of what comes it asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stream.errors import ConfigError, ProtocolError
from stream.protocol.filter import Filter, only_wanted, without_label
from stream.protocol.messages import Change, Guess, Label, Message, Pong, Segment
from stream.protocol.requests import Subscribe, parse


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
        self._text = json.dumps({"type": "subscribe", **wanted})
        try:
            request = parse(self._text, wanted.get("instruments", ()))
        except ProtocolError as error:
            raise ConfigError(str(error)) from error
        assert isinstance(request, Subscribe)
        self.request = request
        """What is asked."""
        self._filter = Filter(request)
        self._is_wanted = bool(wanted)
        self._is_answered = True
        self._answer: Label | None = None

    def begin(self) -> list[str]:
        """Return what to say on a new connection."""
        self._is_answered, self._answer = False, None
        # Whatever is told before this ping's answer may come from before the subscription. A server that requires a
        # token says so at once to who asks something without it, so that a ping is worth while without a subscription.
        return [self._text, '{"type":"ping"}'] if self._is_wanted else ['{"type":"ping"}']

    def take(self, message: Message) -> Message | None:
        """Return what of a message was asked for; None for nothing."""
        if not self._is_answered:
            if isinstance(message, Label) and self._is_wanted:
                self._answer = message  # the last one before the pong is the answer
                return None
            if isinstance(message, Pong):
                self._is_answered = True
                return None if self._answer is None else self._as_asked(self._answer)
            if isinstance(message, Change | Segment | Guess) and message.type not in self.request.types:
                return None
        return self._as_asked(message)

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
