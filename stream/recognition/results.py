"""What the recognizer says of a stream: an estimate every hop, and the stretches that these make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from stream.recognition.classifier import Inference
from stream.recognition.mel import Array

State: TypeAlias = Literal["warming", "silence", "unknown", "instrument"]
"""Less than a window was heard; the level is below the gate; nothing passes its threshold; an instrument is named."""


class Heard(NamedTuple):
    """A state, and the instrument that goes with it."""

    state: State
    label: str | None
    """None unless the state is `instrument`."""


class Estimate(NamedTuple):
    """What is heard at the end of one hop."""

    seq: int
    """Counts the hops of a stream from 0; skipped hops leave gaps."""
    time: float
    """Stream time of the window's end, in seconds."""
    state: State
    label: str | None
    """The instrument in front; None unless the state is `instrument`."""
    since: float
    """Stream time in seconds from which on this state and label are told."""
    confidence: float
    """Smoothed probability of what is shown, 0 to 1: of the label, or of none of the instruments when `unknown`. It
    is 0 while nothing is estimated, that is when warming or silent."""
    probabilities: Mapping[str, float]
    """Smoothed and calibrated, one for each of the model's instruments; what is missing to 1 is unknown."""
    raw: Mapping[str, float]
    """The same for this window alone."""
    rms: float
    """Level of the hop about its mean, in dBFS, -120 for nothing."""
    peak: float
    """Largest sample of the hop, in dBFS, -120 for nothing."""


class Transition(NamedTuple):
    """Another state or instrument is heard from now on."""

    time: float
    """When the recognizer knew it, as stream time in seconds."""
    previous: Heard
    now: Heard


class Stretch(NamedTuple):
    """A closed part of the stream in which one thing was heard."""

    start: float
    """Stream time in seconds."""
    end: float
    """Stream time in seconds."""
    state: State
    label: str | None
    confidence: float
    """Mean over the stretch, 0 to 1."""


class Result(NamedTuple):
    """What one hop brought."""

    estimate: Estimate
    transition: Transition | None
    """Set when another state or instrument is heard from this hop on."""
    stretch: Stretch | None
    """What the transition closed."""
    guess: Stretch | None
    """What this hop closed of a guess, see `stream.recognition.guess`."""
    frames: Array
    """Mel frames that the hop added [shape=(n, 129)], in dB relative to 1, for a display; none where the recognizer is
    not to give them."""
    clipped: bool
    """Whether a sample of the hop was at full scale."""
    invalid: int
    """Samples of the hop that were not finite numbers and were taken as zeros."""
    inference: Inference | None = None
    """What the model made of the window, with its embedding and tags where it has them; None when no model judged it,
    that is when warming or silent, or where a steady tone is heard."""
