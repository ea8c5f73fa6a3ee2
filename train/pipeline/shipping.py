"""From a fitted network to what is shipped: the int8 bundle, measured through the service, its card and its report."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from threadpoolctl import threadpool_limits

from stream.recognition.bundle import UNKNOWN, Bundle
from train.compose.clip_programmes import Montage
from train.compose.pack import LABELS, read_pack, sides
from train.compose.programmes import Stage
from train.data_settings import Data
from train.datasets.clips import Clip, Dataset, Split
from train.datasets.corpus import Corpus
from train.evaluation.agreement import Agreement, agree
from train.evaluation.clip_evaluation import Rejection, acceptance, evaluate, look, mistakes, original, rejections
from train.evaluation.clip_predictions import Served
from train.evaluation.clip_result import Result, score
from train.evaluation.metrics import Calibration, calibrate, softmax
from train.evaluation.programme_evaluation import follow
from train.evaluation.programme_result import Timing
from train.export import bundle_files as export
from train.export.bundle_files import Provenance
from train.export.int8 import Int8Model, convert
from train.fitting.augmentation import AUGMENTATIONS
from train.fitting.fit import best_epoch, outputs
from train.fitting.schedule import History, Schedule
from train.fitting.training_run import Run, history
from train.report import run_report as report
from train.report.model_card import COMPOSED, HELD_BACK, Story, card, looked

log = logging.getLogger(__name__)

Corpora = Mapping[Split, Corpus]

ORDERS: Final = 3
"""Orders of the real clips in a row, each a programme of all of them."""

_REPRESENTATIVE: Final = 500  # training clips that the ranges of the int8 model are measured on
_WORST: Final = 12  # mistakes to look at and listen to


@dataclass(frozen=True, slots=True)
class Further:
    """What to measure besides the clips of a data set."""

    cache: Path
    """Where recordings are decoded to, and where looks at the real clips are logged."""
    programmes: int = 0
    """Continuous programmes to compose, where a pack's clips of all labels were learned; 0 for none, nor solos."""
    solos: int = 0
    """Minutes of one player besides."""
    real: Dataset | None = None
    """The pack's real clips: to hear them is one look, which is logged."""


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
    rejections: tuple[Rejection, ...] = ()
    """What passes as an instrument, where there are clips of none."""
    timings: tuple[Timing, ...] = ()
    """Of continuous programmes."""
    real: Result | None = None
    """Of the real clips."""
    looks: int = 0
    """How often the real clips were looked at by now; 0 where they were not for this."""

    @property
    def shown(self) -> tuple[Result, ...]:
        """Results of the int8 model, the most telling first: of the real clips, where there are any."""
        return (self.real, *self.results) if self.real else self.results

    def figures(self) -> dict[str, Any]:
        """Plain numbers of the int8 model, as json takes them."""
        figures: dict[str, Any] = {result.name: result.figures() for result in self.shown}
        if self.looks:
            figures["validation_looks"] = self.looks
        if self.rejections:
            figures["rejection"] = [rejection.figures() for rejection in self.rejections]
        if self.timings:
            figures["programmes"] = {timing.name: timing.figures() for timing in self.timings}
        return figures

    def save(self, folder: Path) -> None:
        """Write `evaluation.json`, every disagreement in it."""
        results = (*self.shown, *self.floats)
        figures = {
            "results": {result.name: result.figures() for result in results},
            "agreement": self.agreement.figures(),
            **{key: value for key, value in self.figures().items() if key not in {result.name for result in results}},
        }
        if self.looks:
            figures["validation_note"] = looked(self.looks)
        export.replace(folder / "evaluation.json", (json.dumps(figures, indent=1, ensure_ascii=False) + "\n").encode())


@dataclass(frozen=True, slots=True)
class Twin:
    """The same recipe, trained without the held-out sources, for a network that learned from all of them."""

    rule: Calibration
    """Chosen on clips that the twin did not learn from: the network has no such clips any more."""
    measured: Measured

    def beside(self, measured: Measured) -> Measured:
        """Put the twin's figures where those of the network would be of clips that it learned from."""
        results, floats = (
            tuple(replace(result, name=f"{result.name}, by a twin that did not learn from them") for result in of)
            for of in (self.measured.results, self.measured.floats)
        )
        reals = [
            rejection for rejection in measured.rejections if measured.real and rejection.clips == measured.real.name
        ]
        return replace(
            measured,
            results=results,
            heard=self.measured.heard,
            floats=floats,
            rejections=(*self.measured.rejections, *reals),
            timings=(*self.measured.timings, *measured.timings),
        )


def make(
    run: Run,
    folder: Path,
    out: Path,
    dataset: Dataset,
    corpora: Corpora,
    model: keras.Model,
    processes: int = 1,
    *,
    further: Further | None = None,
    twin: Twin | None = None,
    ablation: str = "",
    notes: str = "",
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
    further : Further, optional
        What to measure besides.
    twin : Twin, optional
        Where the network learned from all sources: what was measured without some.
    ablation, notes : str
        Markdown for the card: an ablation's table, and findings about where the model fails.

    Returns
    -------
    bundle : Bundle
        As the service loads it.
    measured : Measured
    """
    content, rule = quantised(run, corpora, model)
    rule = twin.rule if twin else rule
    provenance = _provenance(run, dataset, corpora)

    def write(metrics: Mapping[str, Any]) -> Bundle:
        return export.write(out, run.name, content, dataset.labels, rule, provenance, metrics, channels=run.channels)

    bundle = write({})
    measured = measure(
        run.data, bundle, model, dataset, corpora, processes, further, twin.measured.heard[-1] if twin else None
    )
    measured = twin.beside(measured) if twin else measured
    epochs = history(folder)
    bundle = write(
        {
            **measured.figures(),
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
        measured.shown,
        network=run.variant.described,
        parameters=model.count_params(),
        agreement=measured.agreement,
        remarks=_remarks(run.data, measured, twin),
        floats=measured.floats,
        rejections=measured.rejections,
        timings=measured.timings,
        story=Story(_clips(run.data), _fitting(run.schedule, epochs), ablation, notes),
    )
    export.replace(out / f"{run.name}.md", text.encode())
    measured.save(folder)
    tell(run, folder, measured, dataset, corpora, twin)
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
    data: Data,
    bundle: Bundle,
    model: keras.Model,
    dataset: Dataset,
    corpora: Corpora,
    processes: int = 1,
    further: Further | None = None,
    accepting: Served | None = None,
) -> Measured:
    """Score a bundle as the service runs it, and compare it with the float network, on all that it did not learn.

    The threshold that accepts 9 in 10 of the instruments' clips is chosen on the validation clips, like the bundle's
    own ones, for all other clips too; or on what was said of other clips, if `accepting` is that.
    """
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
    threshold = acceptance(bundle, accepting or heard[-1])
    judged = list(zip(results, heard, strict=True))
    timings = _composed(data, bundle, further, processes) if further else []
    real, looks = None, 0
    if further and further.real:
        log.info("listening to the real clips: a look, which is logged")
        looks = look(further.cache, bundle.name)
        real, told = evaluate("validation", bundle, further.real, further.real.clips, processes)
        judged.append((real, told))
        montage = Montage(further.real, tuple(further.real.clips))
        timings.append(follow("real clips in a row", bundle, montage, ORDERS, len(further.real.labels), processes))
    rejected: list[Rejection] = []
    if threshold is not None and any(result.named_classes[-1].clips for result in results):
        for result, told in judged:
            rejected += rejections(result.name, bundle, told, threshold)
    return Measured(
        tuple(results), tuple(heard), tuple(floats), agreement, tuple(rejected), tuple(timings), real, looks
    )


def _composed(data: Data, bundle: Bundle, further: Further, processes: int) -> list[Timing]:
    """Let the recognizer follow composed programmes, where it knows all that is in them."""
    if not further.programmes or data.kind != "composed" or bundle.labels != LABELS:
        return []
    log.info("composing %d programmes and %d steady solos, and listening", further.programmes, further.solos)
    stage = Stage(data.path, further.cache)
    name = "composed programmes" + ", of sources that were trained on" * data.all_sources
    return [follow(name, bundle, stage, further.programmes, further.solos, processes)]


def tell(
    run: Run, folder: Path, measured: Measured, dataset: Dataset, corpora: Corpora, twin: Twin | None = None
) -> Path:
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
        settings={**_settings(run), "command": run.command},
        history=epochs,
        best=best_epoch(epochs),
        results=[*measured.shown, *measured.floats],
        examples=report.examples(corpora["training"]),
        mistakes=report.heard(worst, corpora[split], dataset),
        agreement=measured.agreement,
        remarks=_remarks(run.data, measured, twin),
        timings=measured.timings,
    )
    return path


def called(data: Data, split: Split) -> str:
    """Say what the clips of a split are: composed ones of the pack are told apart by whose sources they are of."""
    if data.kind != "composed":
        return f"{split} clips"
    if data.all_sources:
        return f"{split} clips, of sources that were trained on"
    return "held-out sources" if split == "test" or not data.test_clips else "validation sources"


def _provenance(run: Run, dataset: Dataset, corpora: Corpora) -> Provenance:
    composed = run.data.kind == "composed"
    rows = sides(read_pack(run.data.path), three_way=bool(run.data.test_clips)) if composed else {}
    if run.data.all_sources:
        rows = {"training": [row for side in rows.values() for row in side]}
    source = original(run.data.path)
    return Provenance(
        dataset=dataset.name
        if source == run.data.path
        else f"clips composed of {source} and of notes rendered from sound fonts",
        digest=corpora["training"].digest,
        clips=[clip for corpus in corpora.values() for clip in corpus.clips],
        seed=run.data.seed,
        command=run.command,
        settings=_settings(run),
        ingredients=rows.get("training", ()),
        held_out={(row.instrument, row.source) for side in ("validation", "test") for row in rows.get(side, ())},
    )


def _settings(run: Run) -> dict[str, Any]:
    """List the settings of a run, and of which pack its own was made with rendered notes."""
    source = original(run.data.path)
    if source == run.data.path:
        return run.settings
    return {**run.settings, "data": {**run.settings["data"], "rendered_from": str(source)}}


def _remarks(data: Data, measured: Measured, twin: Twin | None) -> list[str]:
    """Say what the figures are of."""
    if data.kind != "composed":
        return []
    told = []
    if twin:
        told.append(
            "This network went on from its twin's weights and learned from all sources; it is a weighted mean of both. "
            "What can only be measured on sources that were not learned from was measured with the twin; its "
            "temperature and thresholds are the twin's, too. Only `validation` and the agreement of int8 and float are "
            "this network's own figures."
        )
    told.append(
        looked(measured.looks) if measured.looks else "The real clips of `validation` were not looked at for this card."
    )
    return told


def _clips(data: Data) -> str:
    """Tell how the clips came about."""
    if data.kind != "composed":
        return ""
    told = [COMPOSED]
    if original(data.path) != data.path:
        told.append("Notes that the pack has few of were rendered from free sound fonts with FluidSynth first.")
    if not data.all_sources:
        told.append(HELD_BACK)
    return "\n".join(told)


def _fitting(schedule: Schedule, epochs: History) -> str:
    """Tell how the network was fitted."""
    told = [
        f"It was fitted with AdamW for {len(epochs)} epochs, of which number {best_epoch(epochs)} is kept, in batches "
        f"of {schedule.batch}, with a learning rate of {schedule.rate:g} that falls to 0 along a cosine"
    ]
    if schedule.smoothing:
        told.append(f"label smoothing {schedule.smoothing:g}")
    if schedule.average:
        told.append(f"weights averaged from step to step with a decay of {schedule.average:g}")
    used = [name for name in AUGMENTATIONS if name not in schedule.without]
    told.append(f"augmentation by {', '.join(used)}" if schedule.augmented and used else "no augmentation")
    if schedule.handovers:
        told.append(f"another player at the beginning of {100 * schedule.handovers:g} % of the clips")
    return "; ".join(told) + "."
