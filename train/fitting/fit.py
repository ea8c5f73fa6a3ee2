"""Fitting a network: a seeded loop that keeps the best epoch and can be stopped and continued at any moment."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from train.atomic_file import write_atomically
from train.datasets.corpus import Corpus
from train.fitting import checkpoint
from train.fitting.cluster import Cluster
from train.fitting.pretrained import Pretrained
from train.fitting.schedule import History, Schedule, best_epoch
from train.fitting.trainer import Trainer
from train.networks.architectures import Network

log = logging.getLogger(__name__)

CHECKPOINT: Final = "state.npz"
"""Name of a run's checkpoint."""


@dataclass(frozen=True, slots=True)
class FitResult:
    """A network with the weights of its best epoch."""

    model: keras.Model
    history: History
    """One entry for each epoch; keys are those of `history.json`."""
    best: int
    """Number of the best epoch, from 1."""

    @property
    def entry(self) -> dict[str, float]:
        """The best epoch's entry."""
        return self.history[self.best - 1]


def fit(
    variant: Network,
    training: Corpus,
    validation: Corpus,
    schedule: Schedule,
    *,
    channels: Sequence[str] = ("mel",),
    cluster: Cluster | None = None,
    folder: Path | None = None,
    progress: bool = False,
    start: Sequence[npt.NDArray[np.float32]] | Pretrained | None = None,
) -> FitResult:
    """Fit a network; the same arguments give the same weights on the same machine.

    Parameters
    ----------
    variant : Network
        Architecture.
    training, validation : Corpus
        Clips to learn from, and clips of other recordings to choose the epoch by.
    schedule : Schedule
        How to fit.
    channels : sequence of str
        Input channels, as for `stream.recognition.mel.stack`.
    cluster : Cluster, optional
        The machines that train together; this one alone by default.
    folder : Path, optional
        Where the checkpoint, `history.json` and TensorBoard's logs go. A run that was stopped goes on from there.
    progress : bool
        Whether to show a bar on standard error.
    start : sequence of np.ndarray, or Pretrained, optional
        Weights to begin with, of the same network, or those of a bundle of it; freshly drawn ones by default.

    Returns
    -------
    FitResult
        With the weights of the epoch that `train.fitting.schedule.best_epoch` finds by `validation`.

    Raises
    ------
    ConfigError
        When the folder holds a run with other settings.
    SourceError
        When the folder cannot be written or read.
    """
    cluster = cluster or Cluster()
    if devices := tf.config.list_physical_devices("GPU"):
        log.info("training on %d GPUs", len(devices))
    run = Trainer(variant, training, validation, schedule, tuple(channels), cluster, start)
    if folder and cluster.chief:
        folder.mkdir(parents=True, exist_ok=True)
    saved = None
    if folder and cluster.chief:
        saved = checkpoint.load_checkpoint(folder / CHECKPOINT, run.settings, run.files)
    run.resume(saved)
    if folder and saved:
        log.info("continuing after epoch %d", len(saved.history))
        _write(folder, run.history)  # it may have been killed between the two files
    while not run.finished:
        entry = run.epoch(progress)
        log.info(
            "epoch %d: loss %.3f, accuracy %.1f %%; validation loss %.3f, class average %.1f %%",
            *(len(run.history), entry["loss"], 100 * entry["accuracy"]),
            *(entry["validation_loss"], 100 * entry["validation_instrument_average"]),
        )
        if folder and cluster.chief:
            run.checkpoint().save(folder / CHECKPOINT)
            _write(folder, run.history)
            _to_tensorboard(folder / "tensorboard", len(run.history), entry)
    run.restore()
    return FitResult(run.model, run.history, best_epoch(run.history))


def _write(folder: Path, history: History) -> None:
    write_atomically(folder / "history.json", (json.dumps(history, indent=1) + "\n").encode())


def _to_tensorboard(folder: Path, epoch: int, entry: dict[str, float]) -> None:
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=epoch):
        for key, value in entry.items():
            if key not in ("epoch", "validation_clips"):
                tf.summary.scalar(key.replace("validation_", "validation/"), value)
    writer.close()
