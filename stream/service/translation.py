"""From the recognizer's results and the service's events to the messages of the protocol."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from stream.audio.meter import LevelReading
from stream.protocol.check import Check
from stream.protocol.messages import (
    Change,
    Front,
    Guess,
    Heard,
    Hello,
    Label,
    Level,
    Mark,
    Message,
    Outage,
    Segment,
    SettingsNow,
    Spectrum,
    Status,
    Teaching,
)
from stream.recognition.results import Estimate, Result, Stretch, Transition
from stream.service.events import Event, Hop


def label(estimate: Estimate, told: Collection[str] | None = None, line: str | None = None) -> Label:
    """Return what is heard at the end of a hop as a message, with the probabilities of these instruments, or of all."""
    probabilities, raw = estimate.probabilities, estimate.raw
    if told is not None and len(told) < len(raw):
        probabilities, raw = ({name: each[name] for name in told} for each in (probabilities, raw))
    return Label(
        seq=estimate.seq,
        time=estimate.time,
        state=estimate.state,
        label=estimate.label,
        since=estimate.since,
        confidence=estimate.confidence,
        probabilities=probabilities,
        raw=raw,
        rms=estimate.rms,
        peak=estimate.peak,
        line=line,
    )


def change(transition: Transition, line: str | None = None) -> Change:
    """Return a transition as a message."""
    now, previous = transition.now, transition.previous
    return Change(transition.time, now.state, now.label, Heard(previous.state, previous.label), line)


def segment(stretch: Stretch, line: str | None = None) -> Segment:
    """Return a stretch in which one thing was heard as a message."""
    return Segment(stretch.start, stretch.end, stretch.state, stretch.label, stretch.confidence, line)


def guess(stretch: Stretch, line: str | None = None) -> Guess:
    """Return a stretch of a guess as a message."""
    assert stretch.label is not None
    return Guess(stretch.start, stretch.end, stretch.label, stretch.confidence, line)


def level(reading: LevelReading, line: str | None = None) -> Level:
    """Return a reading of the level meter as a message."""
    return Level(reading.time, reading.rms, reading.peak, reading.clipped, line)


def spectrum(result: Result, line: str | None = None) -> Spectrum:
    """Return the mel frames that a hop added as a message, rounded to a tenth of a decibel."""
    return Spectrum(result.estimate.time, np.round(result.frames, 1).astype(float).tolist(), line)


def messages(event: Event) -> Iterator[Message]:
    """Return what clients are told of an event: messages in their order."""
    match event:
        case Hop():
            for message in (event.segment, event.guess, event.change, event.label, event.spectrum):
                if message is not None:
                    yield message
        case (
            Hello()
            | Status()
            | Level()
            | Segment()
            | Guess()
            | Front()
            | Outage()
            | Mark()
            | Teaching()
            | SettingsNow()
            | Check()
        ):
            yield event
        case _:
            pass
