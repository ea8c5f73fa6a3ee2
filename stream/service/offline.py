"""Files through the live recognizer, as fast as it goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from stream.audio.audio_file import AudioFile
from stream.audio.channel_mixer import Alone
from stream.audio.converter import Converter
from stream.audio.signal_monitor import OVER
from stream.audio.sound_file import open_sound_file
from stream.recognition.bundle import UNKNOWN
from stream.recognition.classifier import Classifier
from stream.recognition.level import FULL_SCALE
from stream.recognition.recognizer import Recognizer
from stream.recognition.results import Result, Stretch
from stream.recognition.settings import GATE, HOP
from stream.recognition.taught import Head

_BLOCK_SECONDS: Final = 1.0
_BLOCK_NUMBERS: Final = 1 << 20  # at most, for a header may claim many channels at a high rate


@dataclass(frozen=True, slots=True)
class Total:
    """How much of a file is one label."""

    label: str
    """An instrument, `unknown` or `silence`."""
    seconds: float
    """All its segments together."""
    share: float
    """That of the file's length, 0 to 1."""


@dataclass(frozen=True, slots=True)
class FileTimeline:
    """What is heard in a file."""

    file: str
    seconds: float
    """Its length."""
    label: str
    """The instrument that is most probable over all windows that are not silent, `unknown` when that one does not
    pass its threshold, `silence` when every window is silent."""
    confidence: float
    """Mean probability of `label`, 0 for silence."""
    probabilities: dict[str, float]
    """Mean over the windows that are not silent, one for each of the model's instruments; zeros in silence."""
    segments: list[Stretch]
    """One after the other from 0 to the end; what the first window hears counts from the beginning."""
    clipped: bool
    """Whether a sample was at full scale, in a channel that does not go beyond it."""
    over: float
    """How far the samples go beyond full scale, in dB; only floating-point samples do. 0 where they do not."""
    alone: list[Alone]
    """Stretches in which one channel was heard and not the average of all, because that hid it."""
    invalid: int
    """Samples that were not finite numbers, and were taken as zeros."""
    missing: float
    """Seconds that the file's header promises and the file lacks; infinite where it only shows that it breaks off."""
    remarks: tuple[str, ...] = ()
    """What people should know of the file, in words: that it breaks off, or which of its streams was heard."""

    @property
    def totals(self) -> list[Total]:
        """Seconds and share of each label that the segments have, the longest first."""
        seconds: dict[str, float] = {}
        for segment in self.segments:
            label = segment.label or segment.state
            seconds[label] = seconds.get(label, 0.0) + segment.end - segment.start
        ranked = sorted(seconds.items(), key=lambda item: -item[1])
        return [Total(label, time, time / self.seconds) for label, time in ranked]


def classify(
    path: str | Path,
    classifier: Classifier | None = None,
    *,
    hop: float = HOP,
    lineup: Collection[str] | None = None,
    gate: float = GATE,
    threshold: float | None = None,
    taught: Sequence[Head] = (),
    channel: int | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> FileTimeline:
    """Recognize what is in a file.

    Parameters
    ----------
    path : str or path
        A file in any format that the installed libraries read, of any length.
    classifier : Classifier, optional
        The shipped model that is used by default without it.
    hop, lineup, gate, threshold, taught
        As for `stream.recognition.recognizer.Recognizer`.
    channel : int, optional
        The one to listen to, counted from 1; the average of all without it, unless that hides them.
    is_over : callable
        Asked now and then; where it returns true, the rest of the file is not heard.

    Raises
    ------
    SourceError
        When nothing of the file can be read. Where it is damaged, `remarks` says so of what could be.
    ConfigError
        When an option does not fit the model or the file.
    """
    recognizer = Recognizer(classifier, hop=hop, lineup=lineup, gate=gate, threshold=threshold, taught=taught)
    recognizer.with_frames = False  # which nobody asks for here
    with open_sound_file(path) as file:
        converter = Converter(file.rate, file.channels, channel, gate)
        timeline = _timeline(path, recognizer, _results(file, converter, recognizer, is_over), converter)
        remarks = tuple(remark for remark in (file.remark, file.shortfall()) if remark is not None)
        return replace(timeline, missing=file.missing, remarks=remarks)


def _timeline(
    path: str | Path, recognizer: Recognizer, results: Iterator[Result], converter: Converter
) -> FileTimeline:
    windows = 0
    total = np.zeros(len(recognizer.instruments))
    segments: list[Stretch] = []
    for result in results:
        if result.stretch is not None:
            segments.append(result.stretch)
        if result.estimate.state in ("unknown", "instrument"):
            windows += 1
            total += list(result.estimate.raw.values())
    segments.append(recognizer.close())
    seconds = segments[-1].end
    mean = total / max(1, windows)
    best = int(np.argmax(mean))
    passes = mean[best] >= recognizer.thresholds[best] and mean.sum() >= recognizer.known
    label, confidence = UNKNOWN, 1.0 - float(mean.sum())
    if not windows:
        label, confidence = "silence", 0.0
    elif passes:
        label, confidence = recognizer.instruments[best], float(mean[best])
    means = dict(zip(recognizer.instruments, mean.tolist(), strict=True))
    return FileTimeline(
        file=str(path),
        seconds=seconds,
        label=label,
        confidence=confidence,
        probabilities={name: means[name] for name in recognizer.told},
        segments=_whole(segments, seconds),
        clipped=bool(np.any((converter.peaks >= FULL_SCALE) & (converter.peaks <= OVER))),
        over=max(0.0, 20 * math.log10(peak)) if (peak := float(converter.peaks.max())) > OVER else 0.0,
        alone=[it._replace(end=min(it.end, seconds)) for it in converter.stretches],
        invalid=converter.invalid,
        missing=0.0,
    )


def _results(
    file: AudioFile, converter: Converter, recognizer: Recognizer, is_over: Callable[[], bool]
) -> Iterator[Result]:
    """Results of all of the file."""
    block = min(round(_BLOCK_SECONDS * file.rate), _BLOCK_NUMBERS // file.channels)
    last = False
    while not last:
        frames = file.read(block)
        last = len(frames) < block or is_over()
        yield from recognizer.feed(converter(frames, last=last))
        converter.take_levels()  # nobody judges them here
    yield from recognizer.finish()


def _whole(segments: list[Stretch], seconds: float) -> list[Stretch]:
    """Let the first stretch that was heard begin at 0, for its window does, and the last one end with the file."""
    heard = [segment for segment in segments if segment.state != "warming"]
    if not heard:
        return []
    first, *others = heard
    whole = [Stretch(0.0, first.end, first.state, first.label, first.confidence), *others]
    return [Stretch(s.start, min(s.end, seconds), s.state, s.label, s.confidence) for s in whole if s.start < seconds]
