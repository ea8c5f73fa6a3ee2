"""What a subscription lets through."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream.protocol.messages import Change, Guess, Label, Level, Message, Segment
from stream.protocol.requests import TYPES, Subscribe


@dataclass(slots=True)
class Filter:
    """Decides, message by message, what the subscribers of one subscription get.

    What does not match the wanted instruments and confidence is held back, except the first message that says that
    something matching has ended. Filters that are equal decide alike from now on.
    """

    subscription: Subscribe
    _shown: set[str] = field(default_factory=set)  # types whose last message to pass was a matching one
    _sent: dict[str, float] = field(default_factory=dict)  # stream time of the last message of a limited type

    def admits(self, message: Message, confidence: float = 0.0) -> bool:
        """Whether the subscribers get this message; to be asked once for each.

        Parameters
        ----------
        message : Message
            Of any type.
        confidence : float
            For a change, which carries none: that of its hop.
        """
        wanted = self.subscription
        if message.type in TYPES and message.type not in wanted.types:
            return False
        match message:
            case Label():
                return self._passes("label", self._matches(message.label, message.confidence), message)
            case Change():
                return self._passes("change", self._matches(message.label, confidence))
            case Segment() | Guess():
                return self._matches(message.label, message.confidence)
            case Level():
                return not self._too_soon(message)
            case _:
                return True

    def begin(self, label: Label | None) -> None:
        """Take note of the label that the subscriber is told first, whatever it says.

        Parameters
        ----------
        label : Label or None
            None when there is none yet; then the next one passes whatever it says.
        """
        if label is None:
            self._shown = {"label"} if self._holds_back else set()
            return
        self._too_soon(label)
        # The end of what it is told now is news, as a label and as a change.
        matches = self._holds_back and self._matches(label.label, label.confidence)
        self._shown = {"label", "change"} if matches else set()

    @property
    def _holds_back(self) -> bool:
        """Whether there is anything that does not match. If not, nothing is noted, so that filters are equal."""
        return self.subscription.instruments is not None or self.subscription.min_confidence > 0

    def _passes(self, kind: str, matches: bool, limited: Label | None = None) -> bool:
        """Whether a message matches, or is the first that does not."""
        if not (matches or kind in self._shown) or (limited is not None and self._too_soon(limited)):
            return False
        if self._holds_back:
            (self._shown.add if matches else self._shown.discard)(kind)
        return True

    def _matches(self, label: str | None, confidence: float) -> bool:
        wanted = self.subscription
        return confidence >= wanted.min_confidence and (wanted.instruments is None or label in wanted.instruments)

    def _too_soon(self, message: Label | Level) -> bool:
        """Whether the last one of its type passed too short a time ago; if not, this is the last one from now on."""
        rate = self.subscription.max_rate
        if rate is None:
            return False
        last = self._sent.get(message.type)
        # A sample's length of tolerance, for times are multiples of hops and rates are not.
        if last is not None and 0 <= message.time - last < 1 / rate - 1e-4:
            return True
        self._sent[message.type] = message.time
        return False
