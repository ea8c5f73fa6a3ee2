"""Measuring a bundle as it is served: on the clips of a data set, on the real validation clips, on the demo."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from stream.bundle import UNKNOWN, Bundle
from stream.classifier import Classifier
from stream.features import SAMPLE_RATE, WINDOW
from stream.recognizer import Recognizer
from stream.reference import demo_audio
from train.clips import Clip, Dataset
from train.manifest import manifest
from train.result import Result, score
from train.score import Calibration
from train.served import Served, served


def evaluate(
    name: str, bundle: Bundle, dataset: Dataset, clips: Sequence[Clip], processes: int = 1
) -> tuple[Result, Served]:
    """Let the service's recognizer hear clips, and score what it says.

    Parameters
    ----------
    name : str
        What the clips are.
    bundle, dataset, clips, processes
        As for `train.served.served`.

    Returns
    -------
    result : Result
        The figures; silent and unreadable clips are counted, but in none of them.
    heard : Served
        What the figures are of.
    """
    heard = served(bundle, dataset, clips, processes)
    return score_served(name, bundle, heard), heard


def score_served(name: str, bundle: Bundle, heard: Served) -> Result:
    """Score what the service said of clips, its silent and unreadable ones aside."""
    judged = np.flatnonzero(~heard.silent)
    return score(
        name,
        bundle.instruments,
        [heard.clips[at].label for at in judged],
        heard.probabilities[judged],
        Calibration(bundle.temperature, bundle.thresholds),
        silent=int(heard.silent.sum()),
        skipped=len(heard.skipped),
    )


@dataclass(frozen=True, slots=True)
class Mistake:
    """A clip that the model is wrong about."""

    clip: Clip
    guess: str
    """The most probable label."""
    probability: float


def mistakes(heard: Served) -> list[Mistake]:
    """Clips whose most probable label is wrong, the surest first.

    A label that the model does not know is right when it is taken for `unknown`, and wrong as any instrument.
    """
    found = []
    for clip, row, silent in zip(heard.clips, heard.probabilities, heard.silent, strict=True):
        guess = heard.labels[int(row.argmax())]
        truth = clip.label if clip.label in heard.labels else UNKNOWN
        if guess != truth and not silent:
            found.append(Mistake(clip, guess, float(row.max())))
    return sorted(found, key=lambda mistake: -mistake.probability)


def validation(data: Path) -> Dataset:
    """Open the real clips of the pack's ``validation.csv``: to be measured on, never to train on.

    Every look at what a model does with them is to be logged by the caller: keep them few.
    """
    return manifest(data / "validation.csv")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is named in the windows that lie inside one segment of the demo recording."""

    start: float
    end: float
    """In seconds."""
    label: str
    windows: int
    names: dict[str, int]
    """How many windows got which name."""

    def __str__(self) -> str:
        names = ", ".join(f"{name} {count}" for name, count in self.names.items())
        return f"demo {self.start:5.1f} to {self.end:5.1f} s, {self.label}: of {self.windows} windows {names}"


def demo(bundle: Bundle) -> list[Stretch]:
    """Count what single windows of the demo recording are named, by the service's recognizer, without smoothing.

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    list of Stretch
        One for each segment long enough to hold a window.
    """
    segments = json.loads((resources.files("stream") / "demo.json").read_text(encoding="utf-8"))["segments"]
    told = [result.label for result in Recognizer(Classifier(bundle)).feed(demo_audio())]
    rule = Calibration(bundle.temperature, bundle.thresholds)
    stretches = []
    for segment in segments:
        start, end, label = segment["start"], segment["end"], segment["label"]
        raw = [
            list(hop.raw.values())
            for hop in told
            if hop.state in ("instrument", "unknown") and hop.time - WINDOW / SAMPLE_RATE >= start and hop.time <= end
        ]
        if raw and label != "silence":
            names = rule.names(np.array(raw))
            every = (*bundle.instruments, UNKNOWN)
            counts = {every[name]: int(np.sum(names == name)) for name in np.unique(names)}
            stretches.append(Stretch(start, end, label, len(raw), counts))
    return stretches
