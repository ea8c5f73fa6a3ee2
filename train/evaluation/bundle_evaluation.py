"""Everything that is measured of a bundle through the service's recognizer, and how the float network did."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from stream.recognition.bundle import Bundle
from train.atomic_file import write_atomically
from train.data_settings import DataSettings
from train.datasets.clips import Clip, Dataset, Split
from train.datasets.corpus import Corpora
from train.datasets.labels import LABELS
from train.evaluation.agreement import Agreement, measure_agreement
from train.evaluation.clip_evaluation import evaluate_clips
from train.evaluation.clip_metrics import Calibration, softmax
from train.evaluation.clip_predictions import ClipPredictions
from train.evaluation.clip_result import ClipResult, score_clips
from train.evaluation.network_logits import network_logits
from train.evaluation.programme_result import ProgrammeResult
from train.evaluation.real_clips import describe_looks, log_look
from train.evaluation.rejection import Rejection, acceptance_thresholds, count_rejections

log = logging.getLogger(__name__)

REAL_CLIP_ORDERS: Final = 3
"""Orders of the real clips in a row, each a programme of all of them."""


@dataclass(frozen=True, slots=True)
class ExtraMeasurements:
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
class BundleEvaluation:
    """How a bundle does through the service's recognizer."""

    results: tuple[ClipResult, ...]
    """The most telling first: of the test clips, where there are any, then of the validation clips."""
    predictions: tuple[ClipPredictions, ...]
    """What the results are of."""
    floats: tuple[ClipResult, ...]
    """Of the float network, on the same clips."""
    agreement: Agreement
    """Of the two, on all of them."""
    rejections: tuple[Rejection, ...] = ()
    """What passes as an instrument, where there are clips of none."""
    programme_results: tuple[ProgrammeResult, ...] = ()
    """Of continuous programmes."""
    real: ClipResult | None = None
    """Of the real clips."""
    looks: int = 0
    """How often the real clips were looked at by now; 0 where they were not for this."""

    @property
    def shown(self) -> tuple[ClipResult, ...]:
        """Results of the int8 model, the most telling first: of the real clips, where there are any."""
        return (self.real, *self.results) if self.real else self.results

    def figures(self) -> dict[str, Any]:
        """Plain numbers of the int8 model, as json takes them."""
        figures: dict[str, Any] = {result.name: result.figures() for result in self.shown}
        if self.looks:
            figures["validation_looks"] = self.looks
        if self.rejections:
            figures["rejection"] = [rejection.figures() for rejection in self.rejections]
        if self.programme_results:
            figures["programmes"] = {timing.name: timing.figures() for timing in self.programme_results}
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
            figures["validation_note"] = describe_looks(self.looks)
        write_atomically(
            folder / "evaluation.json", (json.dumps(figures, indent=1, ensure_ascii=False) + "\n").encode()
        )


def evaluate_bundle(
    data: DataSettings,
    bundle: Bundle,
    model: keras.Model,
    dataset: Dataset,
    corpora: Corpora,
    processes: int = 1,
    extra: ExtraMeasurements | None = None,
    accepting: ClipPredictions | None = None,
) -> BundleEvaluation:
    """Score a bundle as the service runs it, and compare it with the float network, on all that it did not learn.

    The threshold that accepts 9 in 10 of the instruments' clips is chosen on the validation clips, like the bundle's
    own ones, for all other clips too; or on what was said of other clips, if `accepting` is that.
    """
    channels = bundle.channels
    results: list[ClipResult] = []
    predictions: list[ClipPredictions] = []
    clips: list[Clip] = []
    floats: list[ClipResult] = []
    probabilities = []
    rule = Calibration(bundle.temperature, bundle.thresholds)
    splits: tuple[Split, ...] = ("test", "validation")
    for split in splits:
        corpus = corpora[split]
        if len(corpus):
            result, predicted = evaluate_clips(name_clips(data, split), bundle, dataset, corpus.clips, processes)
            results.append(result)
            predictions.append(predicted)
            clips += corpus.clips
            probabilities.append(softmax(network_logits(model, corpus, channels), bundle.temperature))
            labels = [clip.label for clip in corpus.clips]
            floats.append(
                score_clips(f"{result.name}, float network", bundle.instruments, labels, probabilities[-1], rule)
            )
    everything = ClipPredictions(
        predictions[0].labels,
        tuple(clip for predicted in predictions for clip in predicted.clips),
        np.concatenate([predicted.probabilities for predicted in predictions]),
        np.concatenate([predicted.silent for predicted in predictions]),
        tuple(skipped for predicted in predictions for skipped in predicted.skipped),
    )
    agreement = measure_agreement(everything, clips, np.concatenate(probabilities), dataset.labels)
    thresholds = acceptance_thresholds(bundle, accepting or predictions[-1])
    judged = list(zip(results, predictions, strict=True))
    programme_results = _evaluate_composed(data, bundle, extra, processes) if extra else []
    real, looks = None, 0
    if extra and extra.real:
        from train.compose.clip_programmes import ClipProgrammes  # only here: it needs the packages of `study`
        from train.evaluation.programme_evaluation import evaluate_programmes

        log.info("listening to the real clips: a look, which is logged")
        looks = log_look(extra.cache, bundle.name)
        real, predicted = evaluate_clips("validation", bundle, extra.real, extra.real.clips, processes)
        judged.append((real, predicted))
        clip_programmes = ClipProgrammes(extra.real, tuple(extra.real.clips))
        programme_results.append(
            evaluate_programmes(
                "real clips in a row", bundle, clip_programmes, REAL_CLIP_ORDERS, len(extra.real.labels), processes
            )
        )
    rejected: list[Rejection] = []
    if thresholds and any(result.named_classes[-1].clips for result in results):
        for result, predicted in judged:
            rejected += count_rejections(result.name, bundle, predicted, thresholds)
    return BundleEvaluation(
        tuple(results),
        tuple(predictions),
        tuple(floats),
        agreement,
        tuple(rejected),
        tuple(programme_results),
        real,
        looks,
    )


def _evaluate_composed(
    data: DataSettings, bundle: Bundle, extra: ExtraMeasurements, processes: int
) -> list[ProgrammeResult]:
    """Let the recognizer follow composed programmes, where it knows all that is in them."""
    if not extra.programmes or data.kind != "composed" or bundle.labels != LABELS:
        return []
    log.info("composing %d programmes and %d steady solos, and listening", extra.programmes, extra.solos)
    from train.compose.composed_programmes import ComposedProgrammes  # only here: it needs the packages of `study`
    from train.evaluation.programme_evaluation import evaluate_programmes

    composed = ComposedProgrammes(data.path, extra.cache)
    name = "composed programmes" + ", of sources that were trained on" * data.all_sources
    return [evaluate_programmes(name, bundle, composed, extra.programmes, extra.solos, processes)]


def name_clips(data: DataSettings, split: Split) -> str:
    """Say what the clips of a split are: composed ones of the pack are told apart by whose sources they are of."""
    if data.kind != "composed":
        return f"{split} clips"
    if data.all_sources:
        return f"{split} clips, of sources that were trained on"
    return "held-out sources" if split == "test" or not data.test_clips else "validation sources"
