"""``soloist train evaluate``: measure a bundle through the service's recognizer."""

from __future__ import annotations

import argparse
import json
import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.errors import ConfigError
from stream.recognition.bundle import UNKNOWN, Bundle, load
from stream.system.stderr import quiet_stderr
from train.cli.options import Actions, chosen_data, data_arguments, print_now, running_arguments

if TYPE_CHECKING:
    from train.data_settings import DataSettings
    from train.datasets.clips import Clip, Dataset, Split
    from train.evaluation.clip_predictions import ClipPredictions

log = logging.getLogger(__name__)


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parents = [data_arguments(), running_arguments()]
    parser = actions.add_parser("evaluate", parents=parents, help="measure a bundle through the service's recognizer")
    add = parser.add_argument
    add("model", help="name of a shipped model, or path of a .tflite or .json")
    add("--split", choices=("training", "validation", "test"), help="default: test, else validation")
    add("--no-validation", action="store_true", help="do not look at the real clips of a pack's validation.csv")
    add("--no-clips", action="store_true", help="compose no clips of a pack")
    add("--held-out", action="store_true", help="also windows of a pack's held-out recordings: every class, rejection")
    add("--embedding", action="store_true", help="also whether its embedding tells unheard instruments apart")
    add(
        "--beside", action="append", default=[], metavar="MODEL", help="other models on the same windows, or renderings"
    )
    add("--yamnet", type=Path, metavar="FILE", help="YAMNet's .tflite on the same windows")
    add("--pretrained", type=Path, metavar="FILE", help="a pretrained network's .npz on them, by its own tags")
    add("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Print how a bundle does, as the service runs it."""
    with quiet_stderr():  # not before: --help need not wait for TensorFlow and what composes clips
        from train.evaluation.bundle_evaluation import name_clips
        from train.evaluation.clip_evaluation import evaluate_clips
        from train.evaluation.clip_result import clip_table
        from train.evaluation.demo_evaluation import evaluate_demo
        from train.evaluation.real_clips import describe_looks, log_look, open_real_clips, original_pack
    bundle = load(arguments.model)
    data = chosen_data(arguments)
    peers = bool(arguments.beside or arguments.yamnet or arguments.pretrained)
    of_pack = arguments.no_clips or arguments.held_out or arguments.embedding or peers
    if of_pack and data.kind != "composed":
        raise ConfigError(f"{data.path} is no pack: --no-clips, --held-out, --embedding and other models need one")
    record: dict[str, Any] = {}
    if not arguments.no_clips:
        dataset, split, clips = _clips(bundle, data, arguments)
        result, predicted = evaluate_clips(name_clips(data, split), bundle, dataset, clips, arguments.processes)
        print_now(clip_table(result))
        record[result.name] = result.figures()
        if _tells_more(bundle):
            record |= _classes(result.name, bundle, predicted)
    if data.kind == "composed":
        if not arguments.no_validation and (original_pack(data.path) / "validation.csv").exists():
            real = open_real_clips(data.path)
            looks = log_look(arguments.cache, bundle.name)
            result = evaluate_clips("validation", bundle, real, real.clips)[0]
            print_now(clip_table(result))
            print_now(describe_looks(looks))
            record["validation"] = result.figures()
        if arguments.held_out or (peers and not arguments.embedding):
            record |= _held_out(bundle, original_pack(data.path), arguments)
        if arguments.embedding:
            record["embedding"] = _embedding(bundle, arguments)
        print_now("\n".join(map(str, evaluate_demo(bundle))))
    if arguments.json:
        from train.atomic_file import write_atomically

        write_atomically(arguments.json, (json.dumps(record, indent=1) + "\n").encode())


def _clips(bundle: Bundle, data: DataSettings, arguments: argparse.Namespace) -> tuple[Dataset, Split, list[Clip]]:
    """Open the clips that a bundle is measured on."""
    from train.datasets.audio_files import AudioFileDataset
    from train.datasets.corpus import extract

    dataset: Dataset
    if data.kind == "composed" and _tells_more(bundle):
        from train.compose.stage_clips import StageClips

        dataset = StageClips(data.path, arguments.cache, 0, data.validation_clips, data.seed)
    else:
        if data.kind == "composed":  # nothing else knows what the bundle's labels are
            data = replace(data, clips=0, instruments=data.instruments or bundle.instruments)
            data = replace(data, unknown=UNKNOWN in bundle.labels if arguments.unknown is None else data.unknown)
        dataset = data.open(arguments.cache)
    if isinstance(dataset, AudioFileDataset) and dataset.seed is not None:
        dataset = extract(dataset, arguments.cache, processes=arguments.processes).dataset
    splits = Counter(clip.split for clip in dataset.clips)
    split: Split = arguments.split or ("test" if splits["test"] else "validation")
    clips = [clip for clip in dataset.clips if clip.split == split]
    if not clips:
        raise ConfigError(f"{dataset.name} has no {split} clips; it has {dict(splits)}")
    if split == "validation" and data.test_clips and not _spared(bundle):
        log.warning(
            "these clips may be of sources that %s learned from: only a run with --test-clips spares them", bundle.name
        )
    return dataset, split, clips


def _held_out(bundle: Bundle, pack: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Print how a bundle, and others beside it, do on windows of held-out recordings."""
    from train.compose.real_windows import RealWindows
    from train.evaluation import peers
    from train.evaluation.clip_evaluation import evaluate_clips
    from train.evaluation.clip_result import clip_table
    from train.evaluation.lineups import lineup_of
    from train.evaluation.real_evaluation import learned_from_all

    windows = RealWindows(pack)
    result, predicted = evaluate_clips("held-out recordings", bundle, windows, windows.clips, arguments.processes)
    print_now(clip_table(result))
    record = {result.name: result.figures(), **_classes(result.name, bundle, predicted)}
    if learned_from_all(bundle):
        print_now(f"{bundle.name} learned from all sources: only the songs are new to it.")
    lineup = lineup_of(bundle)
    beside = [peers.score_peer(bundle.name, predicted, lineup)]
    for model in arguments.beside:
        other = load(model)
        heard = evaluate_clips(other.name, other, windows, windows.clips, arguments.processes)[1]
        beside.append(peers.score_peer(other.name, heard, lineup_of(other)))
    others = (("YAMNet", peers.yamnet, arguments.yamnet), ("pretrained", peers.pretrained, arguments.pretrained))
    for name, made, path in others:
        if path:
            beside.append(peers.score_peer(name, peers.hear_with(made(path), windows, windows.clips)))
    print_now(peers.peer_table(result.name, beside))
    record["peers"] = {peer.name: peer.figures() for peer in beside}
    return record


def _classes(name: str, bundle: Bundle, predicted: ClipPredictions) -> dict[str, Any]:
    """Print a table of every class that a bundle tells, and what it rejects."""
    from train.evaluation.class_table import class_table, score_classes
    from train.evaluation.lineups import lineup_of
    from train.evaluation.rejection import acceptance_thresholds, count_rejections, rejection_table

    record: dict[str, Any] = {}
    if _tells_more(bundle):
        classes = score_classes(name, predicted)
        print_now(class_table(classes, lineup_of(bundle)))
        record[f"{name}, all classes"] = classes.figures()
    if thresholds := acceptance_thresholds(bundle, predicted):
        rejections = count_rejections(name, bundle, predicted, thresholds)
        print_now(rejection_table(rejections))
        record[f"{name}, rejection"] = [rejection.figures() for rejection in rejections]
    return record


def _embedding(bundle: Bundle, arguments: argparse.Namespace) -> dict[str, Any]:
    """Print whether a bundle's embedding tells instruments apart that no model has heard."""
    from train.compose.unheard import render_unheard
    from train.evaluation.embedding_trial import embedding_table, try_embedding
    from train.evaluation.embeddings import bundle_embedding, pretrained_embedding

    renderings = render_unheard(arguments.cache)
    embeddings = [bundle_embedding(load(model)) for model in (arguments.model, *arguments.beside)]
    if arguments.pretrained:
        embeddings.append(pretrained_embedding(arguments.pretrained))
    tried = [try_embedding(name, embed, renderings) for name, embed in embeddings]
    print_now(embedding_table(tried))
    return {result.name: result.figures() for result in tried}


def _tells_more(bundle: Bundle) -> bool:
    """Whether a bundle tells labels beyond its line-up."""
    return bool(bundle.lineup) and bundle.lineup != bundle.instruments


def _spared(bundle: Bundle) -> bool:
    """Whether a bundle was made without the sources that a third side is composed of."""
    settings = bundle.info.get("training", {}).get("settings", {})
    return bool(settings.get("data", {}).get("test_clips"))
