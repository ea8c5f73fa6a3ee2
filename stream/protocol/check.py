"""What the server tells of a check of its lines, as typed messages (protocol version 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True)
class HeardElsewhere:
    """An instrument of a line that is heard on channels to which it does not belong."""

    instrument: str
    channels: Sequence[int]
    """Counted from 1; of several, the mean is heard."""


@dataclass(frozen=True, slots=True)
class CheckedLine:
    """How it is with one line."""

    name: str
    channels: Sequence[int]
    """Those that it should be on, counted from 1."""
    instruments: Sequence[str]
    """What should be heard there; empty where anything may be."""
    colour: Literal["green", "amber", "waiting", "missing"]
    """Heard there; heard elsewhere, or another one is there; nothing of this yet; the source lacks a channel."""
    seconds: float
    """For how long it was heard there; with three it is green."""
    heard: str | None
    """What it shows now: an instrument, `warming`, `silence` or `unknown`. None where nothing is heard of it."""
    level: float | None
    """RMS of that in dBFS."""
    elsewhere: Sequence[HeardElsewhere]
    other: str | None
    """The instrument that is there instead."""
    lacking: Sequence[int]
    """Channels that the source does not have."""
    text: str
    """All of this in words, for people."""


@dataclass(frozen=True, slots=True)
class ChannelWarning:
    """Something that is wrong with a channel."""

    kind: Literal["broken", "dead", "silent", "clipped", "hum", "copy"]
    text: str
    """In words, for people, without the channel."""


@dataclass(frozen=True, slots=True)
class CheckedChannel:
    """What was found of one channel of the source so far."""

    channel: int
    """Counted from 1."""
    level: float | None
    """RMS of its loudest tenth of a second, in dBFS; None where there was nothing."""
    warnings: Sequence[ChannelWarning]


@dataclass(frozen=True, slots=True)
class Check:
    """How far the check of a service's lines is, once a second and when it changes, for those who subscribe to it."""

    type: ClassVar[str] = "check"
    time: float
    """Stream time in seconds."""
    state: Literal["running", "ended"]
    seconds: float
    """How much audio was checked."""
    missed: float
    """Seconds of audio that were not, because the machine was too busy."""
    green: bool
    """Whether every line is."""
    lines: Sequence[CheckedLine]
    """In the order of the settings."""
    channels: Sequence[CheckedChannel]
    """All that the source has; empty before it is there."""
    message: str | None
    """Why it has ended, if nobody stopped it."""
