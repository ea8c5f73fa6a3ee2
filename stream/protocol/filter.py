"""What a subscription lets through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from stream.protocol.messages import Change, Guess, Heard, Label, Level, Message, Segment, Spectrum
from stream.protocol.requests import TYPES, Subscribe

NOTHING: Final = Heard("unknown", None)
"""What is heard, as far as a subscription is concerned, when it is something that was not asked for."""
OF_A_LINE: Final = (Label, Change, Segment, Guess, Level, Spectrum)
"""Messages about one line; the others are about all of a service."""
_AT_FIRST: Final = Heard("warming", None)


@dataclass(slots=True)
class Filter:
    """Decides, message by message, what the subscribers of one subscription get.

    What does not match the wanted instruments and confidence is held back, except the first `label` and `change` that
    say that something matching has ended: those have no label, whatever is heard instead. Filters that are equal decide
    alike from now on.
    """

    subscription: Subscribe
    _shown: set[str] = field(default_factory=set)  # types whose last message to pass was a matching one
    _sent: dict[str, float] = field(default_factory=dict)  # stream time of the last message of a limited type
    _heard: Heard = _AT_FIRST  # what the last change told, where changes are made from labels
    _lines: dict[str, Filter] = field(default_factory=dict)  # of each line for itself, where lines are wanted

    def admit(self, message: Message, line: str | None = None) -> tuple[Message, ...]:
        """Return what the subscribers get of this message; to be asked once for each.

        Parameters
        ----------
        message : Message
            Of any type.
        line : str, optional
            The line that it is told of. Without one it is of the line in front, or of all of the service.

        Returns
        -------
        tuple of Message
            Empty when it is held back. It is this very message unless it names what was not asked for.
        """
        wanted = self.subscription
        if line is not None:
            if wanted.lines is None or line not in wanted.lines:
                return ()
            return self._of(line).admit(message)
        if wanted.lines is not None and isinstance(message, OF_A_LINE):
            return ()  # which those get who ask for no lines
        match message:
            case Label():
                return (*self._changes(message), *self._labels(message))
            case Change() if message.type in wanted.types and not wanted.min_confidence:
                matches = self.matches(message.label)
                return (only_wanted(message, wanted),) if self._passes("change", matches) else ()
            case Change():
                return ()  # made from the labels, which have a confidence
            case _ if message.type in TYPES and message.type not in wanted.types:
                return ()
            case Segment() | Guess():
                return (message,) if self.matches(message.label, message.confidence) else ()
            case Level():
                return () if self._too_soon(message) else (message,)
            case _:
                return (message,)

    def begin_lines(self, labels: Mapping[str, Label]) -> list[Label]:
        """Take note of the label that the subscriber is told first of each line, and return them as it may be told."""
        wanted = self.subscription.lines or frozenset()
        begun = [self._of(line).begin(labels.get(line)) for line in sorted(wanted)]
        return [label for label in begun if label is not None]

    def begin(self, label: Label | None) -> Label | None:
        """Take note of the label that the subscriber is told first.

        Parameters
        ----------
        label : Label or None
            None when there is none yet; then the next one passes, whatever it is.

        Returns
        -------
        Label or None
            As the subscriber may be told it.
        """
        if not self._holds_back:
            if label is not None:
                self._too_soon(label)
            return label
        if label is None:
            self._shown = {"label"}
            return None
        self._too_soon(label)
        # The end of what it is told now is news, as a label and as a change.
        matches = self.matches(label.label, label.confidence)
        self._shown = {"label", "change"} if matches else set()
        told = label if matches else without_label(label, self.subscription)
        if self.subscription.min_confidence:
            self._heard = Heard(told.state, told.label)
        return told

    def _of(self, line: str) -> Filter:
        """Return what decides of one line: as for a service that has no other."""
        if line not in self._lines:
            self._lines[line] = Filter(replace(self.subscription, lines=None))
        return self._lines[line]

    def matches(self, label: str | None, confidence: float = 1.0) -> bool:
        """Whether a label was asked for; none at all is part of everything, and no instrument."""
        wanted = self.subscription
        return confidence >= wanted.min_confidence and (wanted.instruments is None or label in wanted.instruments)

    def _labels(self, label: Label) -> Iterator[Label]:
        if "label" not in self.subscription.types:
            return
        matches = self.matches(label.label, label.confidence)
        if not (matches or "label" in self._shown) or self._too_soon(label):
            return
        self._note("label", matches)
        yield label if matches else replace(without_label(label, self.subscription), since=label.time)

    def _changes(self, label: Label) -> Iterator[Change]:
        """Tell when a label passes the wanted confidence or no longer does: a change would be told before or never."""
        wanted = self.subscription
        if "change" not in wanted.types or not wanted.min_confidence:
            return
        matches = self.matches(label.label, label.confidence)
        heard = Heard(label.state, label.label) if matches or label.label is None else NOTHING
        if heard != self._heard:
            if self._passes("change", matches):
                before, self._heard = self._heard, heard
                yield Change(label.time, heard.state, heard.label, before)
        elif matches:
            self._note("change", matches)

    @property
    def _holds_back(self) -> bool:
        """Whether there is anything that does not match. If not, nothing is noted, so that filters are equal."""
        return self.subscription.instruments is not None or self.subscription.min_confidence > 0

    def _passes(self, kind: str, matches: bool) -> bool:
        """Whether a message matches, or is the first that does not."""
        if not (matches or kind in self._shown):
            return False
        self._note(kind, matches)
        return True

    def _note(self, kind: str, matches: bool) -> None:
        if self._holds_back:
            (self._shown.add if matches else self._shown.discard)(kind)

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


def without_label(label: Label, wanted: Subscribe) -> Label:
    """Return a label as who did not ask for it may be told it: as unknown, unless it names nothing anyway."""
    if label.label is None:
        return label
    names = label.probabilities if wanted.instruments is None else wanted.instruments
    rest = 1.0 - sum(label.probabilities.get(name, 0.0) for name in names)
    return replace(label, state=NOTHING.state, label=None, confidence=min(1.0, max(0.0, rest)))


def only_wanted(change: Change, wanted: Subscribe) -> Change:
    """Return a change without the names of instruments that were not asked for."""
    if wanted.instruments is None:
        return change
    now, before = Heard(change.state, change.label), change.previous
    now, before = (
        NOTHING if it.label is not None and it.label not in wanted.instruments else it for it in (now, before)
    )
    if (now.label, before.label) == (change.label, change.previous.label):
        return change
    return Change(change.time, now.state, now.label, before)
