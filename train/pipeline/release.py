"""From a fitted network to what is shipped: the int8 bundle, measured through the service, its card and its report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import keras

from stream.recognition.bundle import Bundle
from train.atomic_file import write_atomically
from train.datasets.clips import Dataset, Split
from train.datasets.corpus import Corpora
from train.evaluation.bundle_evaluation import BundleEvaluation, ExtraMeasurements, evaluate_bundle
from train.evaluation.clip_evaluation import find_mistakes
from train.export.bundle_files import write_bundle
from train.export.int8 import quantise_and_calibrate
from train.export.provenance import provenance_of, recorded_settings
from train.fitting.schedule import best_epoch
from train.fitting.training_run import TrainingRun, load_history
from train.pipeline.twin import Twin
from train.report import run_report
from train.report.model_card import CardText, model_card
from train.report.run_description import describe_clips, describe_figures, describe_fitting

_WORST: Final = 12  # mistakes to look at and listen to


def make_bundle(
    run: TrainingRun,
    folder: Path,
    out: Path,
    dataset: Dataset,
    corpora: Corpora,
    model: keras.Model,
    processes: int = 1,
    *,
    extra: ExtraMeasurements | None = None,
    twin: Twin | None = None,
    ablation: str = "",
    notes: str = "",
) -> tuple[Bundle, BundleEvaluation]:
    """Quantise a network, measure it, and write bundle, card, `evaluation.json` and report.

    Parameters
    ----------
    run : TrainingRun
        How the network was trained.
    folder : Path
        Of the run.
    out : Path
        Folder for ``<name>.tflite``, ``<name>.json`` and ``<name>.md``.
    dataset : Dataset
        Whose audio the service hears.
    corpora : mapping
        Its features. Training clips give the ranges, validation clips the temperature and the thresholds.
    model : keras.Model
        The network.
    processes : int
        How many listen.
    extra : ExtraMeasurements, optional
        What to measure besides.
    twin : Twin, optional
        Where the network learned from all sources: what was measured without some.
    ablation, notes : str
        Markdown for the card: an ablation's table, and findings about where the model fails.

    Returns
    -------
    bundle : Bundle
        As the service loads it.
    evaluation : BundleEvaluation
    """
    content, rule = quantise_and_calibrate(model, corpora, run.channels, run.schedule.seed)
    rule = twin.rule if twin else rule
    provenance = provenance_of(run, dataset, corpora)

    def write(metrics: Mapping[str, Any]) -> Bundle:
        return write_bundle(out, run.name, content, dataset.labels, rule, provenance, metrics, channels=run.channels)

    bundle = write({})
    evaluation = evaluate_bundle(
        run.data, bundle, model, dataset, corpora, processes, extra, twin.evaluation.predictions[-1] if twin else None
    )
    evaluation = twin.beside(evaluation) if twin else evaluation
    epochs = load_history(folder)
    bundle = write(
        {
            **evaluation.figures(),
            "int8_float_agreement": round(evaluation.agreement.share, 4),
            "int8_float_difference": round(evaluation.agreement.mean_difference, 5),
            "best_epoch": best_epoch(epochs),
            "epochs": len(epochs),
            "parameters": model.count_params(),
            "bytes": len(content),
        }
    )
    text = model_card(
        bundle,
        provenance,
        evaluation.shown,
        network=run.variant.described,
        parameters=model.count_params(),
        agreement=evaluation.agreement,
        remarks=describe_figures(run.data, evaluation.looks, twin=twin is not None),
        floats=evaluation.floats,
        rejections=evaluation.rejections,
        programme_results=evaluation.programme_results,
        text=CardText(describe_clips(run.data), describe_fitting(run.schedule, epochs, run.start), ablation, notes),
    )
    write_atomically(out / f"{run.name}.md", text.encode())
    evaluation.save(folder)
    write_report(run, folder, evaluation, dataset, corpora, twin)
    return bundle, evaluation


def write_report(
    run: TrainingRun,
    folder: Path,
    evaluation: BundleEvaluation,
    dataset: Dataset,
    corpora: Corpora,
    twin: Twin | None = None,
) -> Path:
    """Write the report of a run.

    Returns
    -------
    Path
        The HTML file.
    """
    split: Split = "test" if len(corpora["test"]) else "validation"
    worst = find_mistakes(evaluation.predictions[0])[:_WORST]
    epochs = load_history(folder)
    path = folder / "report.html"
    run_report.write_run_report(
        path,
        title=run.name,
        settings={**recorded_settings(run), "command": run.command},
        history=epochs,
        best=best_epoch(epochs),
        results=[*evaluation.shown, *evaluation.floats],
        examples=run_report.training_examples(corpora["training"]),
        mistakes=run_report.mistake_examples(worst, corpora[split], dataset),
        agreement=evaluation.agreement,
        remarks=describe_figures(run.data, evaluation.looks, twin=twin is not None),
        programme_results=evaluation.programme_results,
    )
    return path
