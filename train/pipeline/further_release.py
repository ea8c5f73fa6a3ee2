"""From a network trained on stage clips to what ships: forms, thresholds, smoothing, figures and the card."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from stream.recognition.bundle import Bundle, load
from stream.recognition.interpreter import Interpreter
from train.atomic_file import write_atomically
from train.compose.pack import Recording, fingerprint, read_pack
from train.compose.players import STAGE_HELD_OUT_SOURCES, is_held_out
from train.compose.real_rows import ROWS, RealRows
from train.compose.songs import HELD_OUT_SONGS, read_songs
from train.compose.stage_clips import StageClips
from train.datasets.game_music import read_music
from train.datasets.labels import ALL_LABELS, INSTRUMENTS
from train.evaluation.class_table import score_classes
from train.evaluation.clip_evaluation import evaluate_clips
from train.evaluation.clip_metrics import class_average
from train.evaluation.embeddings import pretrained_embedding
from train.evaluation.heard_rows import hear_rows
from train.evaluation.lineups import lineup_of
from train.evaluation.peers import Peer
from train.evaluation.real_clips import open_real_clips, original_pack
from train.evaluation.real_evaluation import evaluate_validation
from train.evaluation.real_measurements import measure_on_real
from train.evaluation.rejection import acceptance_thresholds, count_rejections
from train.evaluation.row_tradeoff import tune_on_rows
from train.export.format_two import write_format_two
from train.export.provenance import Provenance
from train.export.public_paths import without_folders
from train.export.several_outputs import Form, convert
from train.networks.efficient import MN04, NARROW, build_efficient
from train.networks.tags import TAGS
from train.pipeline.further import FurtherRecipe, Trained
from train.report.measured_sections import ModelForm, classes_section, real_sections
from train.report.model_card import CardText, model_card
from train.transfer.acceptance import choose_acceptance
from train.transfer.stage_windows import StageWindows
from train.transfer.tflite_logits import run_tflite
from train.transfer.window_store import WindowStore

Array = npt.NDArray[np.float32]

BESIDE: Final = "residual"
"""What a form's time is measured beside: the shipped model that recordings of one's own begin with."""
_REPRESENTATIVE: Final = 600  # windows that the ranges of the int8 model are measured on
_TURNS: Final = 200  # inferences that a form is timed by
_LEARNED_FROM: Final = "EfficientAT mn04_as, Florian Schmid, MIT licence, github.com/fschmid56/EfficientAT"
_NOTICE: Final = """## Notice of what it began with

EfficientAT (github.com/fschmid56/EfficientAT), MIT License, Copyright (c) 2022 Florian Schmid

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation
the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and
to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of
the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO
THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF
CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER
DEALINGS IN THE SOFTWARE."""
_TWIN: Final = (
    "This network went on from its twin's weights and learned from all sources. What can only be measured on "
    "recordings that were not learned from was measured with the twin, in float, whose thresholds and smoothing it "
    "has, too. Only the figures of `validation` and of the forms are this network's own."
)
_AGREEMENT: Final = "How far the int8 network agrees with the float one stands below, with what each form costs."
_AGAIN: Final = (
    "This makes bundle and card. EfficientAT's weights are those of its release; music is what `soloist train music` "
    "fetches. A run that is stopped goes on where it was."
)
_NETWORKS: Final = {
    "mn04": "a MobileNetV3 of width 0.4 (EfficientAT's mn04, all of its weights trained further)",
    "narrow": "inverted residual blocks with ReLU, a fifth of mn04's multiply-adds (`train.networks.efficient.NARROW`)",
}


@dataclass(frozen=True, slots=True)
class Forms:
    """A network in the forms that it may ship in."""

    int8: bytes
    float32: bytes
    logits: Array
    """What the int8 one says of the held-out windows [shape=(n, labels)]."""
    table: tuple[ModelForm, ...]


def shipped_network(model: keras.Model, classes: Sequence[str]) -> keras.Model:
    """Take the network that ships out of one that was trained: of all classes' tags, those of music.

    Parameters
    ----------
    model : keras.Model
        Whose output tags has all classes.
    classes : sequence of str
        Their names.
    """
    network = {network.name: network for network in (MN04, NARROW)}[model.name]
    small = build_efficient(len(ALL_LABELS), len(TAGS), int(model.output["embedding"].shape[-1]), network=network)
    rows = [list(classes).index(tag) for tag in TAGS]
    for layer in small.layers:
        values = [np.asarray(variable) for variable in model.get_layer(layer.name).variables] if layer.variables else []
        if layer.name == "tags":
            values = [value[..., rows] for value in values]
        for variable, value in zip(layer.variables, values, strict=bool(values)):
            variable.assign(value)
    return small


def float_form(model: keras.Model, held_out: WindowStore) -> tuple[bytes, Array]:
    """Make the float .tflite of a network, and hear what it says of the held-out windows [shape=(n, labels)]."""
    content = convert(model, form="float32")
    return content, run_tflite(content, held_out)


def make_forms(model: keras.Model, training: WindowStore, held_out: WindowStore, seed: int) -> Forms:
    """Make the forms of a network, and measure what each costs and what it is worth on the held-out windows.

    Parameters
    ----------
    model : keras.Model
        Of `shipped_network`.
    training : WindowStore
        Windows whose ranges the int8 form has.
    held_out : WindowStore
    seed : int
        Draws those windows.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(training))[:_REPRESENTATIVE])
    windows = training.read(rows)
    forms: tuple[Form, ...] = ("float32", "float16", "int8")
    content: dict[str, bytes] = {form: convert(model, windows, form) for form in forms}
    logits = {name: run_tflite(one, held_out) for name, one in content.items()}
    beside = load(BESIDE)
    taken = _side_by_side({**content, BESIDE: beside.model})
    sure = (held_out.targets.max(axis=1) >= 0.55) & (held_out.weights >= 0.5)
    truth = held_out.targets.argmax(axis=1)
    named = sure & (truth < len(INSTRUMENTS))
    table = tuple(
        ModelForm(
            name,
            len(content[name]),
            taken[name] / taken[BESIDE],
            BESIDE,
            None,
            class_average(truth[named], logits[name][named, : len(INSTRUMENTS)].argmax(axis=1)),
            int(named.sum()),
            float(np.mean(logits[name].argmax(axis=1) == logits["float32"].argmax(axis=1))),
        )
        for name in content
    )
    return Forms(content["int8"], content["float32"], logits["int8"], table)


def _side_by_side(content: Mapping[str, bytes]) -> dict[str, float]:
    """Median seconds of an inference of each model, in turn."""
    interpreters = {name: Interpreter(one) for name, one in content.items()}
    rng = np.random.default_rng(0)
    inputs = {
        name: each.input.quantize(rng.normal(size=each.input.shape).astype(np.float32))
        for name, each in interpreters.items()
    }
    taken: dict[str, list[float]] = {name: [] for name in content}
    for _ in range(_TURNS):
        for name, each in interpreters.items():
            started = time.perf_counter()
            each.run(inputs[name])
            taken[name].append(time.perf_counter() - started)
    return {name: float(np.median(times)) for name, times in taken.items()}


def release(
    recipe: FurtherRecipe,
    trained: Trained,
    twin: tuple[bytes, Array],
    shipped: Forms,
    model: keras.Model,
    windows: StageWindows,
    held_out: WindowStore,
    folder: Path,
    out: Path,
    cache: Path,
    processes: int,
    *,
    look: bool = False,
    with_float: bool = False,
    beside: Sequence[Bundle] = (),
    peers: Mapping[str, Peer] | None = None,
    notes: str = "",
) -> Bundle:
    """Choose thresholds and smoothing, measure, and write bundle and card.

    Parameters
    ----------
    recipe : FurtherRecipe
    trained : Trained
    twin : bytes and np.ndarray
        The .tflite that did not hear the held-out windows, and its logits of them: thresholds and smoothing are chosen,
        and held-out recordings heard, with it. It may be what ships.
    shipped : Forms
    model : keras.Model
        What ships, in float.
    windows, held_out : StageWindows and WindowStore
        The held-out windows.
    folder, out, cache : Path
        Of the run, of the bundle, and of recordings and logs.
    processes : int
    look : bool
        Whether to hear the real validation clips, which is logged.
    with_float : bool
        Whether to write ``<name>-float``, too.
    beside : sequence of Bundle
        Other models to be measured on the same clips.
    peers : mapping of str to callable, optional
        Networks of others.
    notes : str
        Findings, for the card.
    """
    anew = twin[0] != shipped.int8
    before = _provenance(recipe, windows, all_sources=False)
    provenance = _provenance(recipe, windows, all_sources=anew)
    rule = choose_acceptance(
        *(twin[1], held_out.targets, held_out.weights, np.array(windows.real, np.bool_)),
        *(held_out.labels, INSTRUMENTS),
    )

    def write(where: Path, name: str, content: bytes, metrics: Mapping[str, Any], of: Provenance) -> Bundle:
        return write_format_two(
            *(where, name, content, rule, of, metrics), tags=TAGS, more={"learned_from": _LEARNED_FROM}
        )

    bundle = write(folder / "twin", recipe.name, twin[0], {}, before)
    pack = original_pack(recipe.data)
    heard, known = (
        hear_rows(bundle, RealRows(pack, side, lineup_of(bundle)), ROWS, processes, cache)
        for side in ("held out", "trained on")
    )
    chosen = tune_on_rows(bundle, heard, known)[0]
    rule = replace(rule, smoothing=chosen.smoothing, known=chosen.known)
    bundle = write(folder / "twin", recipe.name, twin[0], {}, before)
    real = measure_on_real(
        bundle,
        recipe.data,
        cache,
        processes,
        beside=beside,
        peers=peers,
        embeddings=dict([pretrained_embedding(recipe.pretrained)]),
    )
    composed = [clip for clip in windows.clips.clips if clip.split == "validation"]
    result, predicted = evaluate_clips("held-out sources, composed", bundle, windows.clips, composed, processes)
    results = [result]
    thresholds = acceptance_thresholds(bundle, predicted)
    rejections = [*count_rejections(result.name, bundle, predicted, thresholds), *real.rejections] if thresholds else []
    remarks = []
    metrics: dict[str, Any] = {
        "share": trained.share,
        "held_out": trained.scores,
        "parameters": model.count_params(),
        "forms": [form.figures() for form in shipped.table],
        **real.figures(),
    }
    rows, programmes = list(real.rows), list(real.programmes)
    bundle = write(out, recipe.name, shipped.int8, {}, provenance)
    if look:
        clips = open_real_clips(recipe.data)
        results.insert(0, evaluate_clips("validation", bundle, clips, clips.clips, processes)[0])
        timing, row, remark = evaluate_validation(bundle, recipe.data, cache, processes)
        rows.insert(0, row)
        programmes.insert(0, timing)
        remarks.append(remark)
    results.append(real.windows)
    metrics |= {
        **{each.name: each.figures() for each in results},
        "programmes of real recordings": {timing.name: timing.figures() for timing in programmes},
        "rows": {row.name: row.figures() for row in rows},
    }
    bundle = write(out, recipe.name, shipped.int8, metrics, provenance)
    if with_float:
        write(out, f"{recipe.name}-float", shipped.float32, metrics, provenance)
    if anew:
        remarks.append(_TWIN)
    real = replace(real, rows=tuple(rows), programmes=tuple(programmes))
    lineup = lineup_of(bundle)
    sections = [
        classes_section([score_classes(result.name, predicted), real.classes], lineup),
        *real_sections(real, lineup, shipped.table)[1:],
        *([_NOTICE] if recipe.network == MN04.name else []),
    ]
    card = model_card(
        bundle,
        provenance,
        results,
        network=_NETWORKS[recipe.network],
        parameters=model.count_params(),
        remarks=remarks,
        rejections=rejections,
        programme_results=real.programmes,
        sections=sections,
        again=_AGAIN,
        text=CardText(_clips_text(recipe), _fitting_text(recipe, trained), notes=notes, agreement=_AGREEMENT),
    )
    write_atomically(out / f"{recipe.name}.md", card.encode())
    return bundle


def _provenance(recipe: FurtherRecipe, windows: StageWindows, *, all_sources: bool) -> Provenance:
    """Say what a model was learned from."""
    clips: StageClips = windows.clips
    rows = [row for row in read_pack(recipe.data) if all_sources or not is_held_out(row)]
    source = original_pack(recipe.data)
    return Provenance(
        dataset="stage clips composed of the pack"
        + ", of notes rendered from sound fonts" * (source != recipe.data)
        + ", and of songs" * (source / "songs.csv").exists(),
        digest=clips.digest,
        clips=clips.clips,
        seed=recipe.seed,
        command=without_folders(recipe.command),
        settings=recipe.record() | {"data": {"path": recipe.data.name, "all_sources": all_sources}},
        ingredients=[*rows, *_songs(source, all_of_them=all_sources)],
        held_out=() if all_sources else STAGE_HELD_OUT_SOURCES,
        pack_digest=fingerprint(source, read_pack(source)),
    )


def _songs(pack: Path, *, all_of_them: bool) -> list[Recording]:
    """List the songs that were learned from, with their authors for sources."""
    if not (pack / "songs.csv").exists():
        return []
    with (pack / "songs.csv").open(newline="", encoding="utf-8") as file:
        authors = {row["path"]: row.get("author") or "" for row in csv.DictReader(file)}
    return [
        replace(song.row, source=f"{song.row.source}: {authors[song.row.path]}".removesuffix(": "))
        for song in read_songs(pack)
        if all_of_them or song.recording not in HELD_OUT_SONGS
    ]


def _clips_text(recipe: FurtherRecipe) -> str:
    text = (
        "Each clip has one player in front, alone, before a band or among others, who plays phrases, held notes, lines "
        "or chords, through a room, a desk and a microphone; or it is a window of a real song, or none of them. What "
        "sounds in it shares its target by loudness."
    )
    if recipe.music is None:
        return text
    files = read_music(recipe.music)
    packages = ", ".join(sorted({f"{file.package} ({file.version})" for file in files}))
    minutes = sum(file.seconds for file in files) / 60
    return (
        f"{text} Real bands behind the players, and {recipe.music_windows} windows without labels, are of "
        f"{minutes:.0f} minutes of music of free games from Debian's main section (each package says its licences): "
        f"{packages}."
    )


def _fitting_text(recipe: FurtherRecipe, trained: Trained) -> str:
    schedule = recipe.schedule
    text = (
        f"It was trained with AdamW for {schedule.epochs} epochs in batches of {schedule.batch}, with a learning rate "
        f"of {schedule.rate:g} for the trunk and {schedule.head_rate:g} for the heads that falls along a cosine; label "
        f"smoothing {schedule.smoothing:g}; a moving average of the weights with a decay of {schedule.average:g}."
    )
    if recipe.network == MN04.name:
        text += (
            f" It began with the weights of {_LEARNED_FROM}. First the head for instruments was fitted alone; batch "
            "normalization kept its statistics. Of the means with the weights that it began with "
            f"({', '.join(f'{1 - share:g}' for share in recipe.shares)} of them) the one with {1 - trained.share:g} "
            "did best on held-out windows; for what was mixed the head was fitted again."
        )
    else:
        text += f" Its tags were learned from what {_LEARNED_FROM} says of the same windows."
    if recipe.teacher:
        text += f" Half of each clip's target is what {Path(recipe.teacher).stem} said of it."
    if recipe.all_epochs:
        text += (
            f" Then it went on with {recipe.all_clips} clips of all sources and songs besides (epochs: "
            f"{recipe.all_epochs}), and three quarters of the weights are of what came of that."
        )
    if recipe.int8_epochs:
        text += f" At last all that the int8 model rounds was rounded while it learned (epochs: {recipe.int8_epochs})."
    return text
