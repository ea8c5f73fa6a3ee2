"""The usual way, for comparison: librosa's features of the whole window, every hop. Run by `soloist bench`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from statistics import median

import librosa
import numpy as np

from stream.bench.demo_audio import demo_audio
from stream.recognition import bundle, mel_128
from stream.recognition.classifier import Classifier
from stream.recognition.front_end import MEL_129
from stream.recognition.mel import N_MELS, SAMPLE_RATE, WINDOW, Array
from stream.recognition.settings import HOP
from stream.recognition.smoothing import Smoother

_PASSES = 5


def librosa_features(window: Array) -> Array:
    """Features of a window as the design defines them.

    Parameters
    ----------
    window : np.ndarray [shape=(65536,), dtype=float32]

    Returns
    -------
    np.ndarray [shape=(129, 129), dtype=float32]
    """
    mel = librosa.feature.melspectrogram(y=window, sr=SAMPLE_RATE, n_mels=N_MELS)
    features: Array = librosa.power_to_db(mel, ref=np.max)
    return features


def librosa_features_128(window: Array) -> Array:
    """Features of a window as EfficientAT's networks hear them: those of `stream.recognition.mel_128`, nearly.

    Parameters
    ----------
    window : np.ndarray [shape=(65536,), dtype=float32]

    Returns
    -------
    np.ndarray [shape=(128, 292), dtype=float32]
    """
    loud = window * np.float32(mel_128.PEAK / max(float(np.abs(window).max()), mel_128.QUIETEST))
    audio = librosa.resample(loud, orig_sr=SAMPLE_RATE, target_sr=mel_128.RATE, res_type="soxr_hq")
    mel = librosa.feature.melspectrogram(
        y=audio[1:] - np.float32(0.97) * audio[:-1],
        sr=mel_128.RATE,
        n_fft=mel_128.N_FFT,
        win_length=mel_128.FRAME_LENGTH,
        hop_length=mel_128.HOP_LENGTH,
        n_mels=mel_128.N_MELS,
        fmax=mel_128.F_MAX,
        htk=True,
        norm=None,
        center=False,
    )
    features: Array = ((np.log(mel[:, -mel_128.FRAMES :] + 1e-5) + 4.5) / 5).astype(np.float32)
    return features


def compare(model: str) -> dict[str, float]:
    """Time both ways over the demo, pass by pass in turn, so that a busy machine slows both.

    Returns
    -------
    dict
        Median milliseconds: features and the whole hop (features, inference, smoothing), librosa's and ours.
    """
    audio = demo_audio()
    step = round(HOP * SAMPLE_RATE)
    ends = range(WINDOW, len(audio), step)
    classifier = Classifier(bundle.load(model))
    mel = classifier.bundle.front_end.make()
    usual = librosa_features if classifier.bundle.front_end == MEL_129 else librosa_features_128
    times: dict[str, list[float]] = {}

    def run(name: str, features: Callable[[Array, int], Array]) -> None:
        smoother = Smoother(classifier.bundle.thresholds, classifier.bundle.smoothing, classifier.bundle.known)
        mel.reset()
        for end in ends:
            window = audio[end - WINDOW : end]
            started = time.perf_counter()
            found = features(window, end)
            computed = time.perf_counter()
            smoother.update(classifier(found), HOP)
            times.setdefault(f"{name}_features_ms", []).append(1000 * (computed - started))
            times.setdefault(f"{name}_hop_ms", []).append(1000 * (time.perf_counter() - started))

    for _ in range(_PASSES):
        run("librosa", lambda window, _: usual(window))
        run("ours", mel.features)
    return {name: median(values) for name, values in times.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(compare(sys.argv[1])) + "\n")
