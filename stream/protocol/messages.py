"""What the server tells, as typed messages (protocol version 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, TypeAlias

from stream.protocol.check import Check

PROTOCOL: Final = 1
"""Version of the protocol."""

State = Literal["warming", "silence", "unknown", "instrument"]
TeachingState = Literal["listening", "fitting", "done", "failed", "discarded"]


@dataclass(frozen=True, slots=True)
class LineInfo:
    """One of the lines of a service that has several."""

    name: str
    channels: Sequence[int]
    """Those of the source that it hears the average of, counted from 1."""
    lineup: Sequence[str]
    """The instruments that may be named on it."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who speaks: the first message of a connection, sent again when the model or the source changes."""

    type: ClassVar[str] = "hello"
    protocol: int
    server: str
    """Name and version of the program."""
    model: str
    labels: Sequence[str]
    """The model's instruments."""
    lineup: Sequence[str]
    """Those of them that may be named tonight."""
    window: float
    """Audio that one estimate hears, in seconds."""
    hop: float
    """From one estimate to the next, in seconds."""
    sample_rate: int
    """Rate of the audio that the model hears, in Hz."""
    source: str
    """What is heard: a device, a file."""
    utc: float
    """Unix time of stream time 0, in seconds."""
    run: str = ""
    """Names this run of the service: with the same one, another `utc` is another time of the same stream."""
    since: float = 0.0
    """Stream time in seconds from which on it is this source, heard with this model."""
    lines: Sequence[LineInfo] = ()
    """What is heard one by one; left out where it is one sound, whose messages have no `line` then."""
    control: bool = False
    """Whether clients may change the service; left out where they may not."""
    taught: Sequence[str] = ()
    """Those of the labels that are taught names; left out where there are none."""


@dataclass(frozen=True, slots=True)
class Label:
    """What is heard at the end of one hop."""

    type: ClassVar[str] = "label"
    seq: int
    """Counts the hops of a stream from 0; skipped hops leave gaps."""
    time: float
    """Stream time of the window's end, in seconds."""
    state: State
    label: str | None
    """The instrument in front; None unless the state is `instrument`."""
    since: float
    """Stream time in seconds from which on this state and label are told; the segment to come starts there."""
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
    line: str | None = None
    """Name of the line that this is about; left out where a service has none."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A state, and the label that goes with it."""

    state: State
    label: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Something else is heard from now on."""

    type: ClassVar[str] = "change"
    time: float
    """When the recognizer knew it, as stream time in seconds."""
    state: State
    label: str | None
    previous: Heard
    line: str | None = None
    """Name of the line that this is about; left out where a service has none."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A closed stretch of one state and label."""

    type: ClassVar[str] = "segment"
    start: float
    """Stream time in seconds."""
    end: float
    """Stream time in seconds."""
    state: State
    label: str | None
    confidence: float
    """Mean over the stretch, 0 to 1."""
    line: str | None = None
    """Name of the line that this is about; left out where a service has none."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A closed stretch of the most likely instrument that was not shown."""

    type: ClassVar[str] = "guess"
    start: float
    """Stream time in seconds."""
    end: float
    """Stream time in seconds."""
    label: str
    confidence: float
    """Mean of its smoothed probability over the stretch, 0 to 1."""
    line: str | None = None
    """Name of the line that this is about; left out where a service has none."""


@dataclass(frozen=True, slots=True)
class Level:
    """How loud it is, 20 times a second for those who ask."""

    type: ClassVar[str] = "level"
    time: float
    """Stream time in seconds."""
    rms: float
    """In dBFS about the mean, -120 for nothing."""
    peak: float
    """In dBFS, -120 for nothing."""
    clipped: bool
    """Whether a sample of the input, in any channel, was at full scale."""
    line: str | None = None
    """Name of the line that this is about; left out where a service has none."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The mel frames that a hop added, for those who ask."""

    type: ClassVar[str] = "spectrum"
    time: float
    """Stream time of the window's end in seconds; the newest frame is centred 1024 samples earlier."""
    frames: Sequence[Sequence[float]]
    """Oldest first, 512 samples apart; 129 mel bands each, power in dB relative to 1."""
    line: str | None = None
    """Name of the line that this is about; left out where a service has none."""


@dataclass(frozen=True, slots=True)
class Front:
    """Another line leads from now on; for those who subscribe to lines."""

    type: ClassVar[str] = "front"
    time: float
    """Stream time in seconds."""
    line: str
    previous: str | None
    """The one that led before; None for the first."""


@dataclass(frozen=True, slots=True)
class Status:
    """How the service is."""

    type: ClassVar[str] = "status"
    source: Literal["starting", "running", "waiting", "ended"]
    overflows: int
    """Times that captured audio was lost, by the device or because nobody took it."""
    dropped_hops: int
    """Hops that were skipped because inference could not keep up."""
    clients: int
    hop_ms: float
    """Median time of one hop's features, inference and smoothing over the last ones, in milliseconds."""
    uptime: float
    """Seconds since the service started."""
    message: str | None
    """What somebody should do something about first, if anything."""
    warnings: Sequence[str]
    """Everything about the running input that somebody should mend."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The source is away; told again when it is back."""

    type: ClassVar[str] = "outage"
    start: float
    """Stream time in seconds of the last audio."""
    end: float | None
    """Stream time in seconds at which audio goes on; None while it is away."""
    source: str
    """What was heard."""
    reason: str
    """What happened to it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A note that a client set to a moment."""

    type: ClassVar[str] = "mark"
    time: float
    """Stream time in seconds."""
    text: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What was heard from some moment on."""

    start: float
    """Stream time in seconds."""
    run: str
    """Names the run of the service."""
    source: str
    model: str
    """The model it was heard with."""


@dataclass(frozen=True, slots=True)
class History:
    """What was heard lately."""

    type: ClassVar[str] = "history"
    segments: Sequence[Segment]
    """Oldest first."""
    guesses: Sequence[Guess]
    """Oldest first."""
    marks: Sequence[Mark]
    """Oldest first."""
    outages: Sequence[Outage]
    """Oldest first; the last one may have no end yet."""
    origins: Sequence[Origin] = ()
    """Whose they are, oldest first: each holds from its moment to that of the next."""


@dataclass(frozen=True, slots=True)
class Teaching:
    """How far the service is with a name that it is being taught; for those who subscribe to it."""

    type: ClassVar[str] = "teaching"
    name: str
    state: TeachingState
    """`done` also where it is kept and not told apart reliably: see `reliable`."""
    seconds: float
    """How much has sounded."""
    least: float
    """Seconds that must sound."""
    most: float
    """Seconds after which it ends by itself."""
    taken_for: str | None
    """What the model takes it for so far, most of the time."""
    reliable: bool | None
    """Whether it is told apart; None while that is not known."""
    message: str | None
    """Why it is not, or what went wrong, or what to do so that it is shown."""
    line: str | None = None
    """Name of the line on which it is heard; left out where a service has none."""


@dataclass(frozen=True, slots=True)
class LineValues:
    """The settings of one line."""

    name: str
    channels: Sequence[int]
    """Counted from 1; of several the average is heard."""
    instruments: Sequence[str] | None
    """Its line-up; None for that of the service. So it is with gate and threshold."""
    gate: float | None
    """In dBFS."""
    gain: float
    """In dB."""
    threshold: float | None
    """A probability."""


@dataclass(frozen=True, slots=True)
class SettingValues:
    """The settings that can be chosen, besides those of the lines; None where nothing is set."""

    device: str | None
    channel: int | None
    """Counted from 1."""
    instruments: Sequence[str] | None
    hop: float
    """In seconds."""
    gate: float
    """In dBFS."""
    threshold: float | None
    """A probability."""
    model: str


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """An input that can be chosen."""

    name: str
    channels: int
    default: bool
    """Whether it is the one that is heard without a name."""


@dataclass(frozen=True, slots=True)
class SettingChoices:
    """What can be chosen."""

    devices: Sequence[DeviceChoice] | None
    """None where no device is heard, so that none can be chosen."""
    channels: int | None
    """How many the source has; None while there is none."""
    models: Sequence[str]
    """Those that come with Soloist, and that of the settings."""
    labels: Sequence[str]
    """What the present model can name."""
    usual: Sequence[str]
    """Those that it names without a line-up."""
    limits: Mapping[str, Sequence[float]]
    """The least and the most of each setting that is a number."""


@dataclass(frozen=True, slots=True)
class SettingsNow:
    """The settings that clients can choose; for those who ask, and who subscribe to it."""

    type: ClassVar[str] = "settings"
    values: SettingValues
    tried: Sequence[str]
    """Those that are others than flags, variables and the file say; `line` stands for all lines."""
    decided: Mapping[str, str]
    """By which flag or variable each is decided that is: it comes back at the next start, whatever the file says."""
    file: str | None
    """The file that they can be kept in."""
    choices: SettingChoices
    message: str | None
    """What should be known of what was just done."""
    lines: Sequence[LineValues] = ()
    """Those of the lines; left out where it is one sound."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to `ping`."""

    type: ClassVar[str] = "pong"


@dataclass(frozen=True, slots=True)
class Error:
    """What the server could not do; the connection stays open, unless it is about the token."""

    type: ClassVar[str] = "error"
    code: str
    """`bad-message`, `unknown-type`, `too-often`, `unauthorized`, `wrong-token`, `not-allowed` or `not-possible`."""
    message: str


Message: TypeAlias = (
    Hello
    | Label
    | Change
    | Segment
    | Guess
    | Level
    | Spectrum
    | Front
    | Status
    | Outage
    | Mark
    | Teaching
    | SettingsNow
    | Check
    | History
    | Pong
    | Error
)  # what a server sends
