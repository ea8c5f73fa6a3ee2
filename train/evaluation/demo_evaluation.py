"""What the service names in the demo recording, window by window."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np

from stream.bench.demo_audio import demo_audio
from stream.recognition.bundle import UNKNOWN, Bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from stream.recognition.recognizer import Recognizer
from train.evaluation.clip_metrics import Calibration


@dataclass(frozen=True, slots=True)
class DemoSegment:
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


def evaluate_demo(bundle: Bundle) -> list[DemoSegment]:
    """Count what single windows of the demo recording are named, by the service's recognizer, without smoothing.

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    list of DemoSegment
        One for each segment long enough to hold a window.
    """
    segments = json.loads((resources.files("stream") / "demo.json").read_text(encoding="utf-8"))["segments"]
    told = [result.estimate for result in Recognizer(Classifier(bundle)).feed(demo_audio())]
    rule = Calibration(bundle.temperature, bundle.thresholds, bundle.known)
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
            stretches.append(DemoSegment(start, end, label, len(raw), counts))
    return stretches
