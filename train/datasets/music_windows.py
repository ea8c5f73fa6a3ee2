"""Windows of music without labels, to learn from what another network says of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr

from stream.errors import SourceError
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.datasets.audio_files import mix_channels
from train.datasets.clips import Array
from train.datasets.game_music import MusicFile, read_music

_SHARE: Final = 0.5  # power of a file's length that it is chosen by: an hour of one tune is not worth sixty others


@dataclass(frozen=True)
class MusicWindows:
    """Windows of the files of a folder that `soloist train music` fetched; each depends on its number and the seed.

    Raises
    ------
    ConfigError
        If there is no manifest.
    """

    folder: Path
    seed: int = 0

    @functools.cached_property
    def files(self) -> list[MusicFile]:
        """What windows are cut out of."""
        return read_music(self.folder)

    def file(self, number: int) -> MusicFile:
        """Tell which file a window is of; windows of one file should be on one side of a split."""
        return self._draw(number)[0]

    def audio(self, number: int) -> Array:
        """Cut window `number`.

        Returns
        -------
        np.ndarray [shape=(65536,), dtype=float32]
            Mono audio at 22 050 Hz.

        Raises
        ------
        SourceError
            If the file cannot be read.
        """
        file, place = self._draw(number)
        path = self.folder / file.path
        try:
            with soundfile.SoundFile(path) as sound:
                needed = int(WINDOW * sound.samplerate / SAMPLE_RATE) + 64
                sound.seek(int(place * max(0, sound.frames - needed)))
                audio, rate = sound.read(needed, "float32", always_2d=True), sound.samplerate
        except (OSError, soundfile.LibsndfileError) as error:
            raise SourceError(f"cannot read {path}: {error}") from error
        mono = mix_channels(audio, rate)[0]
        if rate != SAMPLE_RATE:
            mono = soxr.resample(mono, rate, SAMPLE_RATE, "HQ")
        out = np.zeros(WINDOW, np.float32)
        out[: min(WINDOW, len(mono))] = mono[:WINDOW]
        return out

    def _draw(self, number: int) -> tuple[MusicFile, float]:
        rng = np.random.default_rng([self.seed, number])
        weights = np.array([file.seconds for file in self.files]) ** _SHARE
        return self.files[rng.choice(len(self.files), p=weights / weights.sum())], float(rng.random())
