"""Measure how many onsets composed clips have: real clips that are named wrong are mostly one held note.

    .venv/bin/python -m tools.measure_onsets --data ../shared/data

One line for each label: the share of the clips of `ComposedClips`, which the first models learned from, and of
`StageClips` that have at most one onset, and the mean number of onsets.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt

from stream.recognition.mel import SAMPLE_RATE
from train.compose.composed_clips import ComposedClips
from train.compose.stage_clips import StageClips
from train.datasets.clips import Clip
from train.datasets.labels import INSTRUMENTS

Counts = npt.NDArray[np.int64]


def main() -> None:
    """Compose clips of each of the eight, and count their onsets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the pack")
    parser.add_argument("--cache", type=Path, help="where it is decoded to, 1.2 GB; by default a folder that goes away")
    parser.add_argument("--each", type=int, default=40, help="clips of each label (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = arguments.cache or Path(folder)
        count = 40 * arguments.each
        composed = ComposedClips(arguments.data, cache, unknown=True, training=count, validation=0)
        stage = StageClips(arguments.data, cache, training=count, validation=0)
        _say(f"{'':26} {'composed':>16} {'stage':>16}   (at most one onset, mean number)")
        total = []
        for label in INSTRUMENTS:
            cells = [_onsets(data, label, arguments.each) for data in (composed, stage)]
            total.append(cells)
            _say(f"{label:26}" + "".join(_cell(cell) for cell in cells))
        _say(f"{'all':26}" + "".join(_cell(np.concatenate(cells)) for cells in zip(*total, strict=True)))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _onsets(data: ComposedClips | StageClips, label: str, each: int) -> Counts:
    clips: list[Clip] = [clip for clip in data.clips if clip.label == label][:each]
    return np.array([_count(data.audio(clip)) for clip in clips])


def _count(audio: npt.NDArray[np.float32]) -> int:
    """Count where bands, down to 45 dB below the loudest, rise by 0.5 dB more, in their mean, than around it."""
    power = librosa.feature.melspectrogram(y=audio, sr=SAMPLE_RATE)
    rise = librosa.onset.onset_strength(S=librosa.power_to_db(power, ref=np.max, top_db=45))
    return len(librosa.onset.onset_detect(onset_envelope=rise, sr=SAMPLE_RATE, normalize=False, delta=0.5))


def _cell(onsets: Counts) -> str:
    return f" {100 * np.mean(onsets <= 1):9.0f} % {onsets.mean():4.1f}"


if __name__ == "__main__":
    main()
