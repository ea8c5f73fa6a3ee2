"""All recordings decoded once into one memory-mapped file, so that every worker process reads the same pages."""

from __future__ import annotations

import functools
import logging
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from stream.errors import ConfigError, SourceError
from stream.recognition.mel import SAMPLE_RATE
from train.compose.pack import Recording, fingerprint
from train.datasets.audio_files import mix_channels

log = logging.getLogger(__name__)

# Names on disk, which stay: under others a cache of gigabytes would be decoded again, and the old one left behind.
_DECODED: Final = "tape-"
_UNFINISHED: Final = ".tape-"  # what the folders begin with that are decoded into
_STALE: Final = 3600  # s; decoding takes a minute

Array = npt.NDArray[np.float32]


class DecodedRecordings:
    """Audio of a list of recordings, decoded when the first of them is asked for.

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
        self._data = data
        self._cache = cache

    def audio(self, index: int) -> Array:
        """Decode recording `index`.

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float32]
            Mono audio at 22 050 Hz in [-1, 1].
        """
        samples, ends = self._decoded
        start = ends[index - 1] if index else 0
        return samples[start : ends[index]].astype(np.float32) / np.float32(32768)

    @functools.cached_property
    def _decoded(self) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
        """All samples, memory-mapped, and where each recording ends in them."""
        stem = f"{_DECODED}{fingerprint(self._data, self.recordings)}"
        path, ends = self._cache / f"{stem}.npy", self._cache / f"{stem}-ends.npy"
        try:
            if not ends.exists():
                log.info("decoding %d recordings", len(self.recordings))
                self._cache.mkdir(parents=True, exist_ok=True)
                _remove_stale(self._cache)
                # Each file appears whole, the ends last: a killed process leaves nothing that looks decoded.
                with tempfile.TemporaryDirectory(dir=self._cache, prefix=_UNFINISHED) as folder:
                    lengths = _write(self._data, self.recordings, Path(folder, "samples"))
                    np.save(Path(folder, "ends.npy"), np.cumsum(lengths))
                    Path(folder, "samples").replace(path)
                    Path(folder, "ends.npy").replace(ends)
            return np.memmap(path, np.int16, "r"), np.load(ends)
        except OSError as error:
            raise ConfigError(f"cannot use the cache {self._cache}: {error}") from error


def _remove_stale(cache: Path) -> None:
    """Remove what killed processes left behind; what is younger may be another process's at work."""
    for folder in cache.glob(f"{_UNFINISHED}*"):
        if time.time() - folder.stat().st_mtime > _STALE:
            shutil.rmtree(folder, ignore_errors=True)


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

    One channel is taken where the average hides it, and the log says so.

    Raises
    ------
    SourceError
        If the file cannot be decoded.
    """
    try:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise SourceError(f"cannot read {path}: {error}") from error
    mono, note = mix_channels(audio, rate)
    if note is not None:
        log.warning("%s: %s", path, note)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, "HQ")
    return np.asarray(mono, np.float32)
