"""A model that is shipped: measured without some sources first, then trained on with all of them.

What is left out of training is what generalisation can be measured on; but the thin instruments have few players, and
each one left out is missed on the stage. So the recipe is chosen, measured and calibrated without the held-out sources,
and its network goes on learning from all.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import keras
import numpy as np

from stream.errors import ConfigError
from stream.recognition.bundle import Bundle
from train.datasets.clips import Dataset
from train.datasets.corpus import Corpora
from train.evaluation.bundle_evaluation import BundleEvaluation, ExtraMeasurements
from train.evaluation.clip_metrics import Calibration
from train.fitting.fit import fit
from train.fitting.training_run import TrainingRun
from train.pipeline.release import make_bundle
from train.pipeline.twin import Twin

REFIT_FOLDER: Final = "all-sources"
"""Folder, in that of the twin's run, of what went on with all sources."""

REFIT_SHARE: Final = 0.75
"""Of the network that went on, in the mean of both networks' weights that is shipped. Such a mean does better on what
neither was trained on than either (Wortsman et al., 2022, Robust fine-tuning of zero-shot models)."""


def measure_twin(
    run: TrainingRun,
    folder: Path,
    dataset: Dataset,
    corpora: Corpora,
    model: keras.Model,
    extra: ExtraMeasurements,
    processes: int = 1,
) -> Twin:
    """Measure what was trained without the held-out sources; its bundle stays in the run's folder.

    Parameters
    ----------
    run, folder, dataset, corpora, model, further, processes
        As for `train.pipeline.release.make_bundle`. The real clips are left for what is shipped.
    """
    extra = replace(extra, real=None)
    bundle, evaluation = make_bundle(run, folder, folder, dataset, corpora, model, processes, extra=extra)
    return Twin(Calibration(bundle.temperature, bundle.thresholds), evaluation)


def with_all_sources(run: TrainingRun, epochs: int, clips: int | None = None) -> TrainingRun:
    """Say how a run goes on: with all sources, for some epochs, at half the learning rate.

    Parameters
    ----------
    run : TrainingRun
        That of the twin.
    epochs : int
        How many.
    clips : int, optional
        Training clips; as many as the twin had by default.

    Raises
    ------
    ConfigError
        When the run's clips are not composed.
    """
    if run.data.kind != "composed":
        raise ConfigError(f"only a pack has held-out sources to train on with; {run.data.path} is none")
    data = replace(run.data, all_sources=True, clips=clips or run.data.clips)
    return replace(run, data=data, schedule=replace(run.schedule, epochs=epochs, rate=run.schedule.rate / 2))


def refit(
    run: TrainingRun,
    folder: Path,
    out: Path,
    dataset: Dataset,
    corpora: Corpora,
    model: keras.Model,
    twin: Twin,
    extra: ExtraMeasurements,
    processes: int = 1,
    *,
    ablation: str = "",
    notes: str = "",
) -> tuple[Bundle, BundleEvaluation]:
    """Go on from the twin's weights, and make the bundle that is shipped: of the mean of both networks.

    Parameters
    ----------
    run : TrainingRun
        How to go on: of `with_all_sources`.
    folder : Path
        Of the twin's run.
    dataset, corpora
        Of all sources. The validation clips only show that the network still learns.
    model : keras.Model
        The twin's network.
    twin : Twin
        What was measured with it.
    out, further, processes, ablation, notes
        As for `train.pipeline.release.make_bundle`.
    """
    first = [np.asarray(variable) for variable in model.variables]
    inner = folder / REFIT_FOLDER
    inner.mkdir(parents=True, exist_ok=True)
    run.save(inner)
    fitted = fit(
        run.variant,
        corpora["training"],
        corpora["validation"],
        run.schedule,
        channels=run.channels,
        folder=inner,
        progress=True,
        start=first,
    )
    for variable, value in zip(fitted.model.variables, first, strict=True):
        if variable.dtype.startswith("float"):  # else the state of a random generator
            variable.assign(REFIT_SHARE * np.asarray(variable) + (1 - REFIT_SHARE) * value)
    extra = replace(extra, programmes=0)  # composed of sources that it learned from
    return make_bundle(
        *(run, inner, out, dataset, corpora, fitted.model, processes),
        extra=extra,
        twin=twin,
        ablation=ablation,
        notes=notes,
    )
