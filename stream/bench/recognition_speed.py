"""How long recognition takes: a hop, a hop beside librosa's, a whole file."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from importlib import resources
from typing import Final

import numpy as np

from stream.bench.demo_audio import demo_audio
from stream.bench.figures import Figures
from stream.bench.processes import command, environment
from stream.recognition.classifier import Classifier
from stream.recognition.recognizer import Recognizer
from stream.service.offline import classify

_PASSES: Final = 5


def hop_times(classifier: Classifier) -> Figures:
    """Measure the hops of five passes over the demo, after one to warm up."""
    audio = demo_audio()
    times: list[float] = []
    for number in range(_PASSES + 1):
        recognizer = Recognizer(classifier)
        rest = audio
        while True:
            rest = recognizer.take(rest)
            if not recognizer.due:
                break
            started = time.perf_counter()
            result = recognizer.evaluate()
            elapsed = time.perf_counter() - started
            if number and result.estimate.state in ("unknown", "instrument"):
                times.append(1000 * elapsed)
    return {"hop_ms_p50": statistics.median(times), "hop_ms_p99": float(np.percentile(times, 99))}


def librosa_ratios(model: str) -> Figures:
    """Compare with the usual way, in a process of its own, for it needs librosa: None where that is not installed."""
    compare = command("train.evaluation.librosa_baseline", model)
    done = subprocess.run(compare, capture_output=True, text=True, env=environment())
    if done.returncode:
        return {"feature_ratio": None, "librosa_ratio": None}
    times = json.loads(done.stdout)
    return {
        "feature_ratio": times["librosa_features_ms"] / times["ours_features_ms"],
        "librosa_ratio": times["librosa_hop_ms"] / times["ours_hop_ms"],
    }


def file_speed(classifier: Classifier) -> Figures:
    """Measure how much faster than it is played a file is classified."""
    with resources.as_file(resources.files("stream") / "demo.ogg") as path:
        factors = []
        for _ in range(_PASSES):
            started = time.perf_counter()
            timeline = classify(path, classifier)
            factors.append(timeline.seconds / (time.perf_counter() - started))
    return {"realtime_factor": statistics.median(factors)}
