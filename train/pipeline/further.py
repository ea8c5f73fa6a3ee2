"""A network trained on stage clips: a pretrained one further, and averaged with what it was, or a small one anew."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError
from stream.recognition.bundle import Bundle, load
from train.atomic_file import write_atomically
from train.compose.stage_clips import StageClips
from train.datasets.labels import ALL_LABELS, INSTRUMENTS
from train.evaluation.clip_metrics import class_average, softmax
from train.networks.efficient import MN04, NARROW, build_efficient
from train.networks.efficient_weights import load_pretrained
from train.transfer.further_training import FurtherSchedule, FurtherTraining, can_go_on, settings_of
from train.transfer.stage_windows import StageWindows
from train.transfer.teacher import outputs, read_classes, teach
from train.transfer.tflite_logits import run_tflite
from train.transfer.unlabelled_music import UnlabelledMusic
from train.transfer.weight_average import average_with, measure_normalization, pooled, refit_heads
from train.transfer.window_store import WindowStore, joined, open_store

log = logging.getLogger(__name__)

Array = npt.NDArray[np.float32]

_FITTED: Final = 8_000  # windows, each as it is and augmented, that the head for instruments is fitted on
_LATER: Final = 0.75  # share of the weights that went on with all sources
_INT8_RATE: Final = 1e-4
_DROPOUT: Final = 0.2
_CHOSEN: Final = "chosen.npz"
_HEADS: Final = ("instruments", "embedding")  # that began at random
_NETWORKS: Final = {network.name: network for network in (MN04, NARROW)}
_UNLABELLED: Final = 0.5  # weight of what a teacher says where nothing else is known


@dataclass(frozen=True, slots=True)
class FurtherRecipe:
    """How a pretrained network becomes a model."""

    name: str
    data: Path
    """The pack, with songs if it has any."""
    pretrained: Path
    """The .npz file of its weights; the names of its classes lie beside it. It says of all windows which tags to keep,
    and `mn04` begins with it."""
    network: str = "mn04"
    """Or `narrow`, which begins at random."""
    teacher: str = ""
    """A bundle of the same labels, by name or path, whose opinion of each window is half of what is learned."""
    clips: int = 16_000
    validation_clips: int = 2_400
    music: Path | None = None
    """Folder of `soloist train music`: real bands to put soloists before, and music to keep the tags with."""
    music_windows: int = 3_000
    """Windows of it without labels."""
    seed: int = 0
    schedule: FurtherSchedule = field(default_factory=FurtherSchedule)
    shares: tuple[float, ...] = (1.0, 0.75)
    """Of the weights that were trained further, in the means with the pretrained ones that are tried."""
    all_epochs: int = 0
    """Epochs to go on for with all sources, once thresholds are chosen without some of them."""
    all_clips: int = 12_000
    """Clips of all sources to compose for that, beside the others."""
    int8_epochs: int = 1
    """Epochs at last with all rounded that the int8 model rounds."""
    command: str = ""

    def record(self) -> dict[str, Any]:
        """Give the settings as json takes them, without folders of this machine."""
        settings = asdict(self) | {
            "data": self.data.name,
            "pretrained": self.pretrained.name,
            "music": self.music.name if self.music else None,
            "teacher": Path(self.teacher).name,
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


class Lessons(NamedTuple):
    """Windows to learn from."""

    store: WindowStore
    tags: npt.NDArray[np.float16]
    """shape=(n, classes), what the untouched network says of them, before the sigmoid"""


def train_further(
    recipe: FurtherRecipe, folder: Path, cache: Path, processes: int
) -> tuple[Trained, Lessons, WindowStore, StageWindows]:
    """Train a network further, and choose the mean with what it was that does best on held-out windows.

    Returns
    -------
    trained : Trained
    lessons : Lessons
        What it learned from.
    held_out : WindowStore
        Windows that it did not learn from.
    windows : StageWindows
        What these are of.
    """
    clips = StageClips(recipe.data, cache, recipe.clips, recipe.validation_clips, recipe.seed, music=recipe.music)
    store = _training_store(recipe, clips, cache, processes)
    said = teach(recipe.pretrained, store, cache)
    if recipe.teacher:
        store = taught(store, recipe.teacher)
    windows = StageWindows(clips, "validation")
    held_out = open_store(windows, cache, processes=processes)
    classes = read_classes(recipe.pretrained)
    keras.utils.set_random_seed(recipe.schedule.seed)
    begun = recipe.network == MN04.name
    dropout = _DROPOUT if begun else 0.0  # a small network cannot learn by heart what it hears
    model = build_efficient(len(ALL_LABELS), len(classes), network=_NETWORKS[recipe.network], dropout=dropout)
    if begun:
        load_pretrained(model, recipe.pretrained, classes, classes)
    start = [np.asarray(variable) for variable in model.variables]
    chosen, key = folder / _CHOSEN, stage_key(recipe, "chosen", store.digest, held_out.digest)
    if (found_before := _read_chosen(chosen, key)) is not None:
        weights, share, scores = found_before
        _assign(model, weights)
        return Trained(model, start, share, scores), Lessons(store, said), held_out, windows
    begun_with = stage_key(recipe, "start")
    if begun and not can_go_on(folder, settings_of(store, recipe.schedule, begun_with)):
        # The head before the trunk: gradients of a head that begins at random would pull apart what the trunk has
        # learned (Kumar et al., 2022, Fine-Tuning can Distort Pretrained Features).
        _fit_head(model, store, recipe.seed)
        scores = held_out_scores(_logits(model, held_out), held_out, windows.real)
        log.info("the head alone: %s", {name: round(value, 4) for name, value in scores.items()})
    training = FurtherTraining(model, store, said, recipe.schedule, begun_with)
    training.run(
        folder, progress=True, look=lambda network: held_out_scores(_logits(network, held_out), held_out, windows.real)
    )
    write_atomically(folder / "history.json", (json.dumps(training.history, indent=1) + "\n").encode())
    end = [np.asarray(variable) for variable in model.variables]
    found: list[tuple[float, float, list[Array], dict[str, float]]] = []
    for share in recipe.shares if begun else (1.0,):
        _assign(model, end)
        if share < 1:
            average_with(model, start, share, _HEADS)
            if not recipe.schedule.frozen:
                measure_normalization(model, store, recipe.seed)
            _fit_head(model, store, recipe.seed)  # to the mean; where nothing is mixed, the head was trained for it
        scores = held_out_scores(_logits(model, held_out), held_out, windows.real)
        log.info("share %g: %s", share, {name: round(value, 4) for name, value in scores.items()})
        found.append((_merit(scores), share, [np.asarray(variable) for variable in model.variables], scores))
    _, share, weights, scores = max(found, key=lambda one: one[0])
    _assign(model, weights)
    _write_chosen(chosen, key, weights, share, scores)
    return Trained(model, start, share, scores), Lessons(store, said), held_out, windows


def _write_chosen(path: Path, key: str, weights: Sequence[Array], share: float, scores: dict[str, float]) -> None:
    """Keep the mean that was chosen, for a run that was stopped after that."""
    about = {"of": key, "share": share, "scores": scores}
    part = path.with_name(f".{path.name}.part.npz")
    values: dict[str, Any] = {f"v{number}": value for number, value in enumerate(weights)}
    np.savez(part, about=np.array(json.dumps(about)), **values)
    part.replace(path)


def _read_chosen(path: Path, key: str) -> tuple[list[Array], float, dict[str, float]] | None:
    if not path.exists():
        return None
    with np.load(path) as saved:
        about = json.loads(str(saved["about"]))
        if about["of"] != key:
            return None
        return [saved[f"v{number}"] for number in range(len(saved.files) - 1)], about["share"], about["scores"]


def stage_key(recipe: FurtherRecipe, stage: Literal["start", "chosen", "all"], *digests: str) -> str:
    """Digest all that the weights at a stage of the way depend on."""
    pretrained = hashlib.sha256(recipe.pretrained.read_bytes()).hexdigest()
    parts: list[Any] = [stage, recipe.network, pretrained, *digests]
    if stage != "start":
        parts += [asdict(recipe.schedule), recipe.shares]
    if stage == "all":
        parts.append(recipe.all_epochs)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def go_on_with_all(
    recipe: FurtherRecipe, trained: Trained, lessons: Lessons, folder: Path, cache: Path, processes: int
) -> Lessons:
    """Let a network go on with the sources, too, that it was measured on, and take a mean of before and after.

    Parameters
    ----------
    recipe : FurtherRecipe
    trained : Trained
        Its model is changed.
    lessons : Lessons
        What it learned from: clips of all sources are added.
    folder, cache : Path
    processes : int

    Returns
    -------
    Lessons
        With what was added.
    """
    more = StageClips(recipe.data, cache, recipe.all_clips, 0, recipe.seed + 1, all_sources=True, music=recipe.music)
    added = open_store(StageWindows(more, "training"), cache, processes=processes)
    said = np.concatenate([lessons.tags, teach(recipe.pretrained, added, cache)])
    store = joined(lessons.store, taught(added, recipe.teacher) if recipe.teacher else added)
    schedule = replace(recipe.schedule, epochs=recipe.all_epochs)
    before = [np.asarray(variable) for variable in trained.model.variables]
    begun_with = stage_key(recipe, "chosen", lessons.store.digest)
    FurtherTraining(trained.model, store, said, schedule, begun_with).run(folder, progress=True)
    average_with(trained.model, before, _LATER, ())
    if not schedule.frozen:
        measure_normalization(trained.model, store, recipe.seed)
    return Lessons(store, said)


def learn_steps(recipe: FurtherRecipe, trained: Trained, lessons: Lessons, folder: Path) -> None:
    """Let a network learn to do with what the int8 model rounds.

    Parameters
    ----------
    recipe : FurtherRecipe
    trained : Trained
        Its model is changed.
    lessons : Lessons
    folder : Path
    """
    schedule = replace(
        recipe.schedule, epochs=recipe.int8_epochs, rate=_INT8_RATE, head_rate=_INT8_RATE, quantised=True
    )
    begun_with = stage_key(recipe, "all", lessons.store.digest)
    FurtherTraining(trained.model, *lessons, schedule, begun_with).run(folder, progress=True)


def _fit_head(model: keras.Model, store: WindowStore, seed: int) -> None:
    refit_heads(model, pooled(model, store, passes=1, most=_FITTED, seed=seed), seed=seed)


def _training_store(recipe: FurtherRecipe, clips: StageClips, cache: Path, processes: int) -> WindowStore:
    """Windows to learn from: composed ones, and music without labels where there is any."""
    store = open_store(StageWindows(clips, "training"), cache, processes=processes)
    if recipe.music is not None:
        music = UnlabelledMusic(recipe.music, recipe.music_windows, recipe.seed)
        store = joined(store, open_store(music, cache, processes=processes))
    return store


def load_teacher(name: str, labels: Sequence[str] = ALL_LABELS) -> Bundle:
    """Load a bundle that is to teach: of these labels, with the front end of the windows.

    Raises
    ------
    ConfigError
        When it has other ones.
    """
    bundle = load(name)
    if bundle.labels != tuple(labels) or bundle.front_end.name != "mel-128":
        raise ConfigError(f"{bundle.origin} has other labels or another front end: it cannot teach these")
    return bundle


def taught(store: WindowStore, teacher: str) -> WindowStore:
    """Make a bundle's opinion of windows half of what there is to learn of them, and all where nothing is known.

    Parameters
    ----------
    store : WindowStore
    teacher : str
        Name or path of a bundle of the same labels, which hears the same features.

    Raises
    ------
    ConfigError
        When it is of other labels.
    """
    bundle = load_teacher(teacher, store.labels)
    name = bundle.outputs.instruments if bundle.outputs else None
    said = softmax(run_tflite(bundle.model, store, name), bundle.temperature).astype(np.float32)
    known: npt.NDArray[np.bool_] = store.targets.sum(axis=1) > 0
    return replace(
        store,
        targets=np.where(known[:, None], (store.targets + said) / 2, said),
        weights=np.where(known, store.weights, np.float32(_UNLABELLED)),
        certain=np.ones_like(store.certain),
        digest=f"{store.digest} taught by {hashlib.sha256(bundle.model).hexdigest()[:16]}",
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
    if not scores:
        return 0.0
    return float(np.average(list(scores.values()), weights=[weights[name.split("_")[1]] for name in scores]))


def _logits(model: keras.Model, store: WindowStore) -> Array:
    return outputs(keras.Model(model.inputs[0], model.output["instruments"]), store)


def _assign(model: keras.Model, values: Sequence[Array]) -> None:
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
