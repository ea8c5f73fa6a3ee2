"""From a fitted network to what is shipped: the int8 bundle, measured through the service, its card and its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from threadpoolctl import threadpool_limits

from stream.bundle import UNKNOWN, Bundle
from train import export, report
from train.agreement import Agreement, agree
from train.card import COMPOSED, card
from train.clips import Clip, Dataset, Split
from train.corpus import Corpus
from train.data import Data
from train.evaluate import evaluate, mistakes
from train.export import Provenance
from train.fit import best_epoch, outputs
from train.int8 import Int8Model, convert
from train.pack import read_pack, sides
from train.result import Result, score
from train.run import Run, history
from train.score import Calibration, calibrate, softmax
from train.served import Served

Corpora = Mapping[Split, Corpus]

_REPRESENTATIVE: Final = 500  # training clips that the ranges of the int8 model are measured on
_WORST: Final = 12  # mistakes to look at and listen to


@dataclass(frozen=True, slots=True)
class Measured:
    """How a bundle does through the service's recognizer."""

    results: tuple[Result, ...]
    """The most telling first: of the test clips, where there are any, then of the validation clips."""
    heard: tuple[Served, ...]
    """What the results are of."""
    floats: tuple[Result, ...]
    """Of the float network, on the same clips."""
    agreement: Agreement
    """Of the two, on all of them."""

    def save(self, folder: Path) -> None:
        """Write `evaluation.json`, every disagreement in it."""
        figures = {
            "results": {result.name: result.figures() for result in (*self.results, *self.floats)},
            "agreement": self.agreement.figures(),
        }
        export.replace(folder / "evaluation.json", (json.dumps(figures, indent=1, ensure_ascii=False) + "\n").encode())


def make(
    run: Run, folder: Path, out: Path, dataset: Dataset, corpora: Corpora, model: keras.Model, processes: int = 1
) -> tuple[Bundle, Measured]:
    """Quantise a network, measure it, and write bundle, card, `evaluation.json` and report.

    Parameters
    ----------
    run : Run
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

    Returns
    -------
    bundle : Bundle
        As the service loads it.
    measured : Measured
    """
    content, rule = quantised(run, corpora, model)
    provenance = _provenance(run, dataset, corpora)

    def write(metrics: Mapping[str, Any]) -> Bundle:
        return export.write(out, run.name, content, dataset.labels, rule, provenance, metrics, channels=run.channels)

    bundle = write({})
    measured = measure(run.data, bundle, model, dataset, corpora, processes)
    epochs = history(folder)
    bundle = write(
        {
            **{result.name: result.figures() for result in measured.results},
            "int8_float_agreement": round(measured.agreement.share, 4),
            "int8_float_difference": round(measured.agreement.mean_difference, 5),
            "best_epoch": best_epoch(epochs),
            "epochs": len(epochs),
            "parameters": model.count_params(),
            "bytes": len(content),
        }
    )
    text = card(
        bundle,
        provenance,
        measured.results,
        network=run.variant.described,
        parameters=model.count_params(),
        agreement=measured.agreement,
        story=COMPOSED if run.data.kind == "composed" else "",
    )
    export.replace(out / f"{run.name}.md", text.encode())
    measured.save(folder)
    tell(run, folder, measured, dataset, corpora)
    return bundle, measured


def quantised(run: Run, corpora: Corpora, model: keras.Model) -> tuple[bytes, Calibration]:
    """Make the .tflite of a network, and choose how its outputs become names."""
    training, validation = corpora["training"], corpora["validation"]
    rng = np.random.default_rng(run.schedule.seed)
    chosen = rng.choice(len(training), min(_REPRESENTATIVE, len(training)), replace=False)
    with threadpool_limits(1, "blas"):  # more threads only wait for each other here
        content = convert(model, training.features(np.sort(chosen)), run.channels)
    int8 = Int8Model(content, run.channels)
    instruments = sum(label != UNKNOWN for label in training.labels)
    return content, calibrate(validation.targets, int8.logits(validation.features()), instruments)


def measure(
    data: Data, bundle: Bundle, model: keras.Model, dataset: Dataset, corpora: Corpora, processes: int = 1
) -> Measured:
    """Score a bundle as the service runs it, and compare it with the float network, on all that it did not learn."""
    channels = bundle.channels
    results: list[Result] = []
    heard: list[Served] = []
    clips: list[Clip] = []
    floats: list[Result] = []
    probabilities = []
    rule = Calibration(bundle.temperature, bundle.thresholds)
    splits: tuple[Split, ...] = ("test", "validation")
    for split in splits:
        corpus = corpora[split]
        if len(corpus):
            result, told = evaluate(called(data, split), bundle, dataset, corpus.clips, processes)
            results.append(result)
            heard.append(told)
            clips += corpus.clips
            probabilities.append(softmax(outputs(model, corpus, channels), bundle.temperature))
            labels = [clip.label for clip in corpus.clips]
            floats.append(score(f"{result.name}, float network", bundle.instruments, labels, probabilities[-1], rule))
    everything = Served(
        heard[0].labels,
        tuple(clip for told in heard for clip in told.clips),
        np.concatenate([told.probabilities for told in heard]),
        np.concatenate([told.silent for told in heard]),
        tuple(skipped for told in heard for skipped in told.skipped),
    )
    agreement = agree(everything, clips, np.concatenate(probabilities), dataset.labels)
    return Measured(tuple(results), tuple(heard), tuple(floats), agreement)


def tell(run: Run, folder: Path, measured: Measured, dataset: Dataset, corpora: Corpora) -> Path:
    """Write the report of a run.

    Returns
    -------
    Path
        The HTML file.
    """
    split: Split = "test" if len(corpora["test"]) else "validation"
    worst = mistakes(measured.heard[0])[:_WORST]
    epochs = history(folder)
    path = folder / "report.html"
    report.write(
        path,
        title=run.name,
        settings={**run.settings, "command": run.command},
        history=epochs,
        best=best_epoch(epochs),
        results=[*measured.results, *measured.floats],
        examples=report.examples(corpora["training"]),
        mistakes=report.heard(worst, corpora[split], dataset),
        agreement=measured.agreement,
    )
    return path


def called(data: Data, split: Split) -> str:
    """Say what the clips of a split are: composed ones of the pack are told apart by whose sources they are of."""
    if data.kind != "composed":
        return f"{split} clips"
    return "held-out sources" if split == "test" or not data.test_clips else "validation sources"


def _provenance(run: Run, dataset: Dataset, corpora: Corpora) -> Provenance:
    composed = run.data.kind == "composed"
    rows = sides(read_pack(run.data.path), three_way=bool(run.data.test_clips)) if composed else {}
    return Provenance(
        dataset=dataset.name,
        digest=corpora["training"].digest,
        clips=[clip for corpus in corpora.values() for clip in corpus.clips],
        seed=run.data.seed,
        command=run.command,
        settings=run.settings,
        ingredients=rows.get("training", ()),
        held_out={(row.instrument, row.source) for side in ("validation", "test") for row in rows.get(side, ())},
    )
