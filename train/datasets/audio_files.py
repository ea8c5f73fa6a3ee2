"""Clips that lie in audio files, and the files that nothing may be trained on."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import soxr

from stream.audio.channel_choice import choose_for_whole
from stream.audio.channel_mixer import ChannelMixer
from stream.errors import ConfigError, SourceError
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from stream.recognition.settings import GATE
from train.datasets.clips import Array, Clip
from train.datasets.splits import divide_clips
from train.datasets.window_reading import count_windows, read_window

_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class AudioFileDataset:
    """A data set whose clips are windows of audio files; it implements `train.datasets.clips.Dataset`.

    Parameters
    ----------
    name : str
        What the data set is called in reports.
    labels : tuple of str
        In the order of the model's outputs.
    clips : tuple of Clip
        Each with a path.
    seed : int, optional
        Draws which recordings are for training, validation and test, once it is known which clips can be used:
        `divided`. None where the clips have their splits.
    """

    name: str
    labels: tuple[str, ...]
    clips: tuple[Clip, ...]
    seed: int | None = None

    @property
    def digest(self) -> str:
        """Empty: the files determine the clips."""
        return ""

    def divided(self, clips: Sequence[Clip] | None = None) -> AudioFileDataset:
        """Draw the splits, where there are none yet, of the clips that can be used; all by default."""
        used = tuple(self.clips if clips is None else clips)
        if self.seed is not None:
            used = keep_validation(divide_clips(used, seed=self.seed))
        return replace(self, clips=used, seed=None)

    def audio(self, clip: Clip) -> Array:
        """Audio of a clip, its channels averaged, unless that hides them; see `mix_channels`.

        Parameters
        ----------
        clip : Clip
            One of `clips`.

        Returns
        -------
        np.ndarray [shape=(65536,), dtype=float32]
            Mono audio at 22 050 Hz; zeros follow where the recording ends earlier.

        Raises
        ------
        SourceError
            If the file is missing, cannot be decoded, has no sound in that window, or samples that are no numbers. The
            text names the file.

        Warns
        -----
        ChannelWarning
            If one channel is taken and not the average of all. The text names the file, the channel and the reason.
        """
        if clip.path is None:
            raise ConfigError(f"{clip} has no file: it is not of the data set {self.name}")
        try:
            sound, rate = read_window(clip.path, clip.number)
        except SourceError as error:
            reason = str(error).removeprefix(f"{clip.path}: ")
            raise SourceError(f"cannot read {clip.path}: {reason}") from error
        with np.errstate(all="ignore"):
            mono, note = mix_channels(sound, rate)
        if not (np.isfinite(sound).all() and np.isfinite(mono).all()):
            raise SourceError(f"{clip} has samples that are not finite")
        if len(mono) and rate != SAMPLE_RATE:
            mono = soxr.resample(mono, rate, SAMPLE_RATE)
        if not mono.any():
            raise SourceError(f"{clip} holds {'nothing but zeros' if len(mono) else 'no samples'}")
        if note is not None:
            warnings.warn(f"{clip.path}: {note}", ChannelWarning, stacklevel=2)
        window = np.zeros(WINDOW, np.float32)
        window[: len(mono)] = mono[:WINDOW]
        return window


class ChannelWarning(UserWarning):
    """One channel is taken of a file, and not the average of all."""


def mix_channels(sound: Array, rate: int) -> tuple[Array, str | None]:
    """Average the channels of some audio, or take one where the average hides it, as the service does.

    What hides all of the audio is chosen for all of it, without the moment that the service needs to notice.

    Parameters
    ----------
    sound : np.ndarray [shape=(n, channels), dtype=float32]
    rate : int
        In Hz.

    Returns
    -------
    mono : np.ndarray [shape=(n,), dtype=float32]
    note : str or None
        Which channel is taken, if one is, and why.
    """
    if sound.shape[1] == 1 or not len(sound):
        return sound[:, 0], None
    whole = choose_for_whole(sound.T, GATE)
    if whole.alone is not None:
        return sound[:, whole.alone], f"{whole.reason}: channel {whole.alone + 1} alone is taken"
    mixer = ChannelMixer(rate, sound.shape[1], GATE)
    mono = mixer(sound)
    if not mixer.stretches:
        return mono, None
    return mono, f"{mixer.stretches[0].reason}: channel {mixer.stretches[0].channel} alone is taken for a part of it"


def window_clips(clip: Clip) -> list[Clip]:
    """All windows of the file that a clip names, each as a clip."""
    assert clip.path is not None
    return [replace(clip, number=number) for number in range(count_windows(clip.path))]


def label_order(labels: set[str]) -> tuple[str, ...]:
    """Labels by name, `unknown` last."""
    return tuple(sorted(labels, key=lambda label: (label == _UNKNOWN, label)))


def keep_validation(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Move clips that are for validation only to that split, with all that is of the same recordings.

    Parameters
    ----------
    clips : sequence of Clip
        Clips of any splits.

    Returns
    -------
    tuple of Clip
        The same clips in the same order; see `refuse_validation` for which ones move.
    """
    reserved = {clip.recording for clip in _reserved(clips)}
    return tuple(replace(clip, split="validation") if clip.recording in reserved else clip for clip in clips)


def refuse_validation(clips: Sequence[Clip]) -> None:
    """Refuse to train with clips that are for validation only, on whichever side of the split they are.

    These are the files in a folder named ``validation`` that a ``validation.csv`` beside that folder lists, also where
    a link leads to one. A model whose epoch was chosen on them could no longer be judged by them, so no split may hold
    one.

    Parameters
    ----------
    clips : sequence of Clip
        All that a training command is about to use.

    Raises
    ------
    ConfigError
        If one of them is for validation only. The text names the first and says how many there are.
    """
    if reserved := _reserved(clips):
        path = reserved[0].path
        assert path is not None
        table = path.resolve().parent.with_suffix(".csv")
        more = f" and {len(reserved) - 1} more" if len(reserved) > 1 else ""
        raise ConfigError(f"{path}{more} must not be trained with: {table} keeps it for validation only")


def _reserved(clips: Sequence[Clip]) -> list[Clip]:
    listed: dict[Path, frozenset[Path]] = {}
    kept = set()
    for path in {clip.path for clip in clips if clip.path is not None}:
        home = path.resolve().parent
        if home.name == "validation":
            if home not in listed:
                listed[home] = _listed_files(home.with_suffix(".csv"))
            if path.resolve() in listed[home]:
                kept.add(path)
    return [clip for clip in clips if clip.path in kept]


def _listed_files(table: Path) -> frozenset[Path]:
    if not table.is_file():
        return frozenset()
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            return frozenset((table.parent / row["path"]).resolve() for row in csv.DictReader(file) if row.get("path"))
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"cannot read {table}, which may keep files from training: {error}") from error
