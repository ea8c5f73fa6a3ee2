"""From a pretrained network to a model that ships: trained further on stage clips, averaged, chosen, quantised."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from stream.recognition.bundle import Bundle
from stream.recognition.interpreter import Interpreter
from train.atomic_file import write_atomically
from train.compose.stage_clips import StageClips
from train.datasets.labels import ALL_LABELS, INSTRUMENTS
from train.evaluation.clip_metrics import class_average
from train.export.format_two import write_format_two
from train.export.provenance import Provenance
from train.export.several_outputs import Form, convert
from train.networks.efficient import build_efficient
from train.networks.efficient_weights import load_pretrained
from train.networks.tags import TAGS
from train.transfer.acceptance import Acceptance, choose_acceptance
from train.transfer.further_training import FurtherSchedule, FurtherTraining
from train.transfer.stage_windows import StageWindows
from train.transfer.teacher import outputs, read_classes, teach
from train.transfer.unlabelled_music import UnlabelledMusic
from train.transfer.weight_average import average_with, measure_normalization, pooled, refit_heads
from train.transfer.window_store import WindowStore, joined, open_store

log = logging.getLogger(__name__)

Array = npt.NDArray[np.float32]

_HEADS: Final = ("instruments", "embedding")  # that began at random
_REPRESENTATIVE: Final = 300  # windows that the ranges of the int8 model are measured on
_LEARNED_FROM: Final = "EfficientAT mn04_as, Florian Schmid, MIT licence, github.com/fschmid56/EfficientAT"


@dataclass(frozen=True, slots=True)
class FurtherRecipe:
    """How a pretrained network becomes a model."""

    name: str
    data: Path
    """The pack, with songs if it has any."""
    pretrained: Path
    """The .npz file of its weights; the names of its classes lie beside it."""
    clips: int = 16_000
    validation_clips: int = 2_400
    music: Path | None = None
    """Folder of `soloist train music`: real bands to put soloists before, and music to keep the tags with."""
    music_windows: int = 3_000
    """Windows of it without labels."""
    seed: int = 0
    schedule: FurtherSchedule = field(default_factory=FurtherSchedule)
    shares: tuple[float, ...] = (1.0, 0.75, 0.5)
    """Of the weights that were trained further, in the means with the pretrained ones that are tried."""
    all_epochs: int = 0
    """Epochs to go on for with all sources, at half the rates, once thresholds are chosen without some of them."""
    command: str = ""

    def record(self) -> dict[str, Any]:
        """Give the settings as json takes them, without folders of this machine."""
        settings = asdict(self) | {
            "data": self.data.name,
            "pretrained": self.pretrained.name,
            "music": self.music.name if self.music else None,
        }
        settings.pop("command")
        return settings


@dataclass(frozen=True, slots=True)
class Trained:
    """A network that was trained further, and how well it does on held-out windows."""

    model: keras.Model
    start: list[Array]
    """Its weights before."""
    share: float
    """Of the weights that were trained further in those that it has."""
    scores: dict[str, float]


def train_further(
    recipe: FurtherRecipe, folder: Path, cache: Path, processes: int
) -> tuple[Trained, WindowStore, StageWindows]:
    """Train a network further, and choose the mean with what it was that does best on held-out windows.

    Returns
    -------
    trained : Trained
    store : WindowStore
        The held-out windows.
    windows : StageWindows
        What they are of.
    """
    clips = StageClips(recipe.data, cache, recipe.clips, recipe.validation_clips, recipe.seed, music=recipe.music)
    store = _training_store(recipe, clips, cache, processes)
    windows = StageWindows(clips, "validation")
    held_out = open_store(windows, cache, processes=processes)
    classes = read_classes(recipe.pretrained)
    keras.utils.set_random_seed(recipe.schedule.seed)
    model = build_efficient(len(ALL_LABELS), len(classes))
    load_pretrained(model, recipe.pretrained, classes, classes)
    start = [np.asarray(variable) for variable in model.variables]
    training = FurtherTraining(model, store, teach(recipe.pretrained, store, cache), recipe.schedule)
    training.run(
        folder, progress=True, look=lambda network: held_out_scores(_logits(network, held_out), held_out, windows.real)
    )
    write_atomically(folder / "history.json", (json.dumps(training.history, indent=1) + "\n").encode())
    end = [np.asarray(variable) for variable in model.variables]
    found: list[tuple[float, float, list[Array], dict[str, float]]] = []
    for share in recipe.shares:
        _assign(model, end)
        if share < 1:
            average_with(model, start, share, _HEADS)
            measure_normalization(model, store, recipe.seed)
        refit_heads(model, pooled(model, store, passes=1, seed=recipe.seed), seed=recipe.seed)
        scores = held_out_scores(_logits(model, held_out), held_out, windows.real)
        log.info("share %g: %s", share, {name: round(value, 4) for name, value in scores.items()})
        found.append((_merit(scores), share, [np.asarray(variable) for variable in model.variables], scores))
    _, share, weights, scores = max(found, key=lambda one: one[0])
    _assign(model, weights)
    return Trained(model, start, share, scores), held_out, windows


def go_on_with_all(recipe: FurtherRecipe, trained: Trained, folder: Path, cache: Path, processes: int) -> None:
    """Let a network go on with the sources, too, that it was measured on, and take the mean of before and after."""
    clips = StageClips(recipe.data, cache, recipe.clips, 0, recipe.seed + 1, all_sources=True, music=recipe.music)
    store = _training_store(recipe, clips, cache, processes)
    schedule = replace(
        recipe.schedule,
        epochs=recipe.all_epochs,
        rate=recipe.schedule.rate / 2,
        head_rate=recipe.schedule.head_rate / 2,
    )
    before = [np.asarray(variable) for variable in trained.model.variables]
    FurtherTraining(trained.model, store, teach(recipe.pretrained, store, cache), schedule).run(folder, progress=True)
    average_with(trained.model, before, 0.5, ())
    measure_normalization(trained.model, store, recipe.seed)
    refit_heads(trained.model, pooled(trained.model, store, passes=1, seed=recipe.seed), seed=recipe.seed)


def _training_store(recipe: FurtherRecipe, clips: StageClips, cache: Path, processes: int) -> WindowStore:
    """Windows to learn from: composed ones, and music without labels where there is any."""
    composed = open_store(StageWindows(clips, "training"), cache, processes=processes)
    if recipe.music is None:
        return composed
    music = UnlabelledMusic(recipe.music, recipe.music_windows, recipe.seed)
    return joined(composed, open_store(music, cache, processes=processes))


def shipped_network(model: keras.Model, classes: Sequence[str]) -> keras.Model:
    """Take the network that ships out of one that was trained: of all classes' tags, those of music.

    Parameters
    ----------
    model : keras.Model
        Whose output tags has all classes.
    classes : sequence of str
        Their names.
    """
    small = build_efficient(len(ALL_LABELS), len(TAGS), int(model.output["embedding"].shape[-1]))
    rows = [list(classes).index(tag) for tag in TAGS]
    for layer in small.layers:
        values = [np.asarray(variable) for variable in model.get_layer(layer.name).variables] if layer.variables else []
        if layer.name == "tags":
            values = [value[..., rows] for value in values]
        for variable, value in zip(layer.variables, values, strict=bool(values)):
            variable.assign(value)
    return small


def quantise(model: keras.Model, store: WindowStore, seed: int, form: Form = "int8") -> bytes:
    """Make the .tflite of a network, with the ranges of windows drawn from a store."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(store))[:_REPRESENTATIVE])
    return convert(model, store.read(rows), form)


def run_tflite(content: bytes, store: WindowStore) -> Array:
    """Logits of the instruments, as the service's interpreter computes them [shape=(n, labels)]."""
    interpreter = Interpreter(content)
    place = [tensor.name for tensor in interpreter.outputs].index("instruments")
    rows = []
    for row in range(len(store)):
        held = interpreter.run(interpreter.input.quantize(store.read([row])[0]))
        rows.append(interpreter.outputs[place].dequantize(held[place])[0])
    return np.array(rows, np.float32)


def make_rule(logits: Array, held_out: WindowStore, real: Sequence[bool]) -> Acceptance:
    """Choose how the outputs of the model that ships become names."""
    return choose_acceptance(
        logits, held_out.targets, held_out.weights, np.array(real, np.bool_), held_out.labels, INSTRUMENTS
    )


def write_model(
    recipe: FurtherRecipe,
    out: Path,
    name: str,
    content: bytes,
    rule: Acceptance,
    provenance: Provenance,
    metrics: dict[str, Any],
) -> Bundle:
    """Write the bundle of a model, with the notice of what it learned from."""
    return write_format_two(
        *(out, name, content, rule, provenance, metrics), tags=TAGS, more={"learned_from": _LEARNED_FROM}
    )


def provenance_of_stage(recipe: FurtherRecipe, windows: StageWindows) -> Provenance:
    """Say what a model was learned from."""
    clips = windows.clips
    return Provenance(
        dataset="stage clips composed of the pack and its songs",
        digest=clips.digest,
        clips=clips.clips,
        seed=recipe.seed,
        command=recipe.command,
        settings=recipe.record(),
    )


def held_out_scores(logits: Array, store: WindowStore, real: Sequence[bool]) -> dict[str, float]:
    """Class averages on held-out windows, composed and real ones apart, over the eight and over all labels.

    `rejected` is the share of windows of the other labels whose probability of the eight together is lower than that
    of nine in ten of the eight's windows.
    """
    truth, scores = store.targets.argmax(axis=1), {}
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    together = weights[:, : len(INSTRUMENTS)].sum(axis=1) / weights.sum(axis=1)
    for name, side in (("composed", ~np.array(real)), ("real", np.array(real))):
        sure = side & (store.targets.max(axis=1) >= 0.55) & (store.weights >= 0.5)
        eight = sure & (truth < len(INSTRUMENTS))
        if not eight.any() or not (sure & ~eight).any():
            continue
        scores[f"{name}_eight"] = class_average(truth[eight], logits[eight, : len(INSTRUMENTS)].argmax(axis=1))
        scores[f"{name}_all"] = class_average(truth[sure], logits[sure].argmax(axis=1))
        scores[f"{name}_rejected"] = float(np.mean(together[sure & ~eight] < np.quantile(together[eight], 0.1)))
    return scores


def _merit(scores: dict[str, float]) -> float:
    """Weigh the scores that a mean of weights is chosen by: the eight twice, what is none of them, and all labels."""
    weights = {"eight": 2.0, "all": 1.0, "rejected": 1.0}
    return float(np.average(list(scores.values()), weights=[weights[name.split("_")[1]] for name in scores]))


def _logits(model: keras.Model, store: WindowStore) -> Array:
    return outputs(keras.Model(model.inputs[0], model.output["instruments"]), store)


def _assign(model: keras.Model, values: Sequence[Array]) -> None:
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
