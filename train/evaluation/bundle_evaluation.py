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
from train import atomic_file
from train.compose.clip_programmes import Montage
from train.compose.composed_programmes import Stage
from train.data_settings import Data
from train.datasets.clips import Clip, Dataset, Split
from train.datasets.corpus import Corpora
from train.datasets.labels import LABELS
from train.evaluation.agreement import Agreement, agree
from train.evaluation.clip_evaluation import evaluate
from train.evaluation.clip_predictions import Served
from train.evaluation.clip_result import Result, score
from train.evaluation.metrics import Calibration, softmax
from train.evaluation.network_logits import outputs
from train.evaluation.programme_evaluation import follow
from train.evaluation.programme_result import Timing
from train.evaluation.real_clips import look, looked
from train.evaluation.rejection import Rejection, acceptance, rejections

log = logging.getLogger(__name__)

ORDERS: Final = 3
"""Orders of the real clips in a row, each a programme of all of them."""


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
        atomic_file.replace(
            folder / "evaluation.json", (json.dumps(figures, indent=1, ensure_ascii=False) + "\n").encode()
        )


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


def called(data: Data, split: Split) -> str:
    """Say what the clips of a split are: composed ones of the pack are told apart by whose sources they are of."""
    if data.kind != "composed":
        return f"{split} clips"
    if data.all_sources:
        return f"{split} clips, of sources that were trained on"
    return "held-out sources" if split == "test" or not data.test_clips else "validation sources"
