"""Measuring a bundle as it is served: on the clips of a data set, on the real validation clips, on the demo."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.bench.demo_audio import demo_audio
from stream.recognition.bundle import UNKNOWN, Bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from stream.recognition.recognizer import Recognizer
from train.compose.pack import read_pack
from train.datasets.clips import Clip, Dataset
from train.datasets.manifest import manifest
from train.evaluation.clip_predictions import Served, served
from train.evaluation.clip_result import Result, score
from train.evaluation.metrics import Calibration, Floats

ACCEPTED: Final = 0.9
"""Share of the instruments' clips that a threshold for all of them is to accept, at least."""

_LOOKS: Final = "validation-looks.log"  # in the cache: a line for each time that the real clips of a pack were scored


def evaluate(
    name: str, bundle: Bundle, dataset: Dataset, clips: Sequence[Clip], processes: int = 1
) -> tuple[Result, Served]:
    """Let the service's recognizer hear clips, and score what it says.

    Parameters
    ----------
    name : str
        What the clips are.
    bundle, dataset, clips, processes
        As for `train.evaluation.clip_predictions.served`.

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
class Rejection:
    """What a rule lets pass as any instrument."""

    clips: str
    """What was judged."""
    rule: str
    solos: int
    """Clips of the bundle's instruments."""
    accepted: int
    """Those of them that pass as any."""
    unknown: int
    """Clips of everything else."""
    rejected: int
    """Those of them that do not pass."""

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        return {
            "clips": self.clips,
            "rule": self.rule,
            "instrument_clips": self.solos,
            "accepted": self.accepted,
            "unknown_clips": self.unknown,
            "rejected": self.rejected,
        }


def acceptance(bundle: Bundle, heard: Served, share: float = ACCEPTED) -> float | None:
    """Choose one threshold for the most probable instrument, whichever it is.

    Parameters
    ----------
    bundle : Bundle
    heard : Served
        Clips to choose it on.
    share : float
        Of the instruments' clips, to be accepted at least.

    Returns
    -------
    float or None
        The highest one; None without any clip of an instrument.
    """
    best, solo = _bests(bundle, heard)
    ascending = np.sort(best[solo])
    return float(ascending[int((1 - share) * len(ascending) + 1e-9)]) if len(ascending) else None


def rejections(name: str, bundle: Bundle, heard: Served, threshold: float) -> tuple[Rejection, Rejection]:
    """Count what passes one threshold for all, and what passes the bundle's own, one for each instrument.

    Parameters
    ----------
    name : str
        What the clips are.
    bundle : Bundle
    heard : Served
        The clips; silent ones are left out.
    threshold : float
        That of `acceptance`.
    """
    best, solo = _bests(bundle, heard)
    names = Calibration(bundle.temperature, bundle.thresholds).names(heard.probabilities[~heard.silent])
    rules = {
        f"one threshold, {threshold:.3f}": best >= threshold,
        "the thresholds of the bundle": names < len(bundle.instruments),
    }
    solos, unknown = int(solo.sum()), int((~solo).sum())
    one, own = (
        Rejection(name, rule, solos, int(passing[solo].sum()), unknown, int((~passing[~solo]).sum()))
        for rule, passing in rules.items()
    )
    return one, own


def _bests(bundle: Bundle, heard: Served) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Probability of the most probable instrument of the clips that were judged, and which are of an instrument."""
    judged = np.flatnonzero(~heard.silent)
    best = heard.probabilities[judged, : len(bundle.instruments)].max(axis=1)
    return best, np.array([heard.clips[at].label in bundle.instruments for at in judged], bool)


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
    """Open the real clips of a pack's ``validation.csv``: to be measured on, never to train on.

    Every look at what a model does with them is to be logged by the caller, by `look`: keep them few.

    Parameters
    ----------
    data : Path
        The pack, or one that was made of it with rendered notes, or any folder with such a table.

    Raises
    ------
    SourceError
        If there is no table, or it cannot be read.
    ConfigError
        If it is none of clips; see `train.datasets.manifest.manifest`.
    """
    return manifest(original(data) / "validation.csv")


def original(data: Path) -> Path:
    """Find the pack that one with rendered notes was made of, by its links; anything else is returned as it is."""
    if (data / "training.csv").is_file() and (rows := read_pack(data)):
        path = Path(rows[0].path)  # the rows of the original come first
        found = (data / path.parent).resolve().parents[len(path.parent.parts) - 1]
        if found != data.resolve() and (found / "training.csv").is_file():
            return found
    return data


def look(cache: Path, name: str) -> int:
    """Record in the cache that somebody looks at the real clips, and return how often that has been.

    Parameters
    ----------
    cache : Path
        Where the log is.
    name : str
        Of the model.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / _LOOKS).open("a+", encoding="utf-8") as log:
        log.write(f"{name}\n")
        log.seek(0)
        return len(log.readlines())


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
    told = [result.estimate for result in Recognizer(Classifier(bundle)).feed(demo_audio())]
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
