"""The bank that comes with a model: windows of all its labels by many players, which names are taught against."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.players.bank import Bank, model_digest
from stream.recognition.bundle import Bundle, load
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array
from stream.recognition.smoothing import Probabilities
from train.compose.real_recordings import RealPlayer, real_players
from train.compose.stage_clips import StageClips
from train.datasets.clips import Clip
from train.worker_pool import WorkerPool

log = logging.getLogger(__name__)

_EACH: Final = 16  # windows of one player, at the most
_CHUNK: Final = 16  # windows in a job

Heard = tuple[str, str, Array, Probabilities]
"""A window: its label, its source, and what a model says of it."""
_Place = tuple[int, int]


@dataclass(frozen=True)
class BankWindows:
    """The windows of a bank, real and composed; it goes to worker processes with its settings alone."""

    data: Path
    """Folder of the pack."""
    cache: Path
    """Where decoded recordings are."""
    model: str
    """Name of a shipped model, or path of a .tflite file."""
    composed: int
    """Windows as stages sound, with a band or noise besides."""
    seed: int = 0

    def __getstate__(self) -> dict[str, Any]:
        """Only the settings go to another process."""
        return {name: getattr(self, name) for name in ("data", "cache", "model", "composed", "seed")}

    @functools.cached_property
    def bundle(self) -> Bundle:
        """The model."""
        return load(self.model)

    @functools.cached_property
    def players(self) -> list[RealPlayer]:
        """Who is heard alone: all that models are trained on, and nobody who is held out."""
        return real_players(self.data, "trained on", least=1.0)

    @functools.cached_property
    def clips(self) -> tuple[Clip, ...]:
        """What is composed, of the same players."""
        return self._stage.clips if self.composed else ()

    @property
    def places(self) -> list[_Place]:
        """All windows: (player, window), or (-1, composed clip)."""
        real = [
            (number, window)
            for number, player in enumerate(self.players)
            for window in range(min(_EACH, max(1, int(player.seconds * SAMPLE_RATE / WINDOW))))
        ]
        return [*real, *((-1, clip) for clip in range(len(self.clips)))]

    def hear(self, place: _Place) -> Heard | None:
        """Let the model hear one window; None where it finds no embedding in it."""
        player, number = place
        if player < 0:
            clip = self.clips[number]
            label, source, audio = clip.label, clip.recording, self._stage.audio(clip)
        else:
            label, source = self.players[player].label, self.players[player].source
            rng = np.random.default_rng([self.seed, 31, player, number])
            audio = self.players[player].play(self.data, WINDOW / SAMPLE_RATE, rng)
            audio = np.pad(audio, (0, WINDOW - len(audio)))
        said = self._hear(audio)
        return None if said is None else (label, source, *said)

    def _hear(self, audio: Array) -> tuple[Array, Probabilities] | None:
        front_end, classifier = self._listener
        front_end.reset()
        inference = classifier.infer(front_end.features(audio, WINDOW))
        embedding = inference.embedding
        return None if embedding is None else (embedding, inference.probabilities)

    @functools.cached_property
    def _listener(self) -> tuple[Any, Classifier]:
        return self.bundle.front_end.make(), Classifier(self.bundle)

    @functools.cached_property
    def _stage(self) -> StageClips:
        return StageClips(self.data, self.cache, self.composed, 0, self.seed)


def make_bank(windows: BankWindows, processes: int = 1) -> Bank:
    """Let a model hear all windows of a bank.

    Parameters
    ----------
    windows : BankWindows
    processes : int
        Worker processes.

    Raises
    ------
    SourceError
        If a recording cannot be read.
    """
    places = windows.places
    jobs = [places[at : at + _CHUNK] for at in range(0, len(places), _CHUNK)]
    heard: dict[_Place, Heard] = {}
    with WorkerPool(windows, processes) as pool:
        for number, found in enumerate(pool.run(_hear_all, jobs), 1):
            heard.update(found)
            if number % 25 == 0:
                log.info("%d of %d windows", number * _CHUNK, len(places))
    kept = [heard[place] for place in places if place in heard]  # in one order, whoever was first
    return Bank(
        windows.bundle.name,
        model_digest(windows.bundle),
        np.stack([embedding for _, _, embedding, _ in kept]),
        np.stack([probabilities for _, _, _, probabilities in kept]),
        tuple(label for label, *_ in kept),
        tuple(source for _, source, *_ in kept),
    )


def _hear_all(windows: BankWindows, places: Sequence[_Place]) -> dict[_Place, Heard]:
    return {place: heard for place in places if (heard := windows.hear(place)) is not None}
