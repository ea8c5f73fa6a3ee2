"""All recordings decoded once into one memory-mapped file, so that every worker process reads the same pages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from stream.errors import SourceError
from stream.features import SAMPLE_RATE
from train.pack import Recording, digest

Array = npt.NDArray[np.float32]


class Tape:
    """Audio of a list of recordings.

    Parameters
    ----------
    data : Path
        Folder that the recordings' paths are relative to.
    recordings : list of Recording
        What to decode.
    cache : Path
        Folder for the decoded audio; made when absent.
    """

    def __init__(self, data: Path, recordings: list[Recording], cache: Path) -> None:
        self.recordings = recordings
        path = cache / f"tape-{digest(recordings)}.npy"
        ends = cache / f"tape-{digest(recordings)}-ends.npy"
        if not ends.exists():
            cache.mkdir(parents=True, exist_ok=True)
            np.save(ends, np.cumsum(_write(data, recordings, path)))
        self._ends = np.load(ends)
        self._samples = np.memmap(path, np.int16, "r")

    def audio(self, index: int) -> Array:
        """Decode recording `index`.

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float32]
            Mono audio at 22 050 Hz in [-1, 1].
        """
        start = self._ends[index - 1] if index else 0
        return self._samples[start : self._ends[index]].astype(np.float32) / np.float32(32768)


def _write(data: Path, recordings: list[Recording], path: Path) -> npt.NDArray[np.int64]:
    """Decode everything to int16 and return the lengths in samples."""
    lengths = np.zeros(len(recordings), np.int64)
    with path.open("wb") as file:
        for index, recording in enumerate(recordings):
            audio = read_mono(data / recording.path)
            file.write(np.round(audio.clip(-1, 1) * 32767).astype(np.int16).tobytes())
            lengths[index] = len(audio)
    return lengths


def read_mono(path: Path) -> Array:
    """Read a file, average its channels and bring it to 22 050 Hz.

    Raises
    ------
    SourceError
        If the file cannot be decoded.
    """
    try:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise SourceError(f"cannot read {path}: {error}") from error
    mono = audio.mean(axis=1)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, "HQ")
    return np.asarray(mono, np.float32)
