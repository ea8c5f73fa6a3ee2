"""``soloist train evaluate``: measure a bundle through the service's recognizer."""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from stream.errors import ConfigError
from stream.recognition.bundle import UNKNOWN, Bundle, load
from stream.system.stderr import quiet_stderr
from train.cli.options import Actions, chosen_data, data_arguments, print_now, running_arguments

if TYPE_CHECKING:
    from train.datasets.clips import Split

log = logging.getLogger(__name__)


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parents = [data_arguments(), running_arguments()]
    parser = actions.add_parser("evaluate", parents=parents, help="measure a bundle through the service's recognizer")
    add = parser.add_argument
    add("model", help="name of a shipped model, or path of a .tflite or .json")
    add("--split", choices=("training", "validation", "test"), help="default: test, else validation")
    add("--no-validation", action="store_true", help="do not look at the real clips of a pack's validation.csv")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Print how a bundle does, as the service runs it."""
    with quiet_stderr():  # not before: --help need not wait for TensorFlow and what composes clips
        from train.datasets.audio_files import AudioFileDataset
        from train.datasets.corpus import extract
        from train.evaluation.bundle_evaluation import name_clips
        from train.evaluation.clip_evaluation import evaluate_clips
        from train.evaluation.clip_result import clip_table
        from train.evaluation.demo_evaluation import evaluate_demo
        from train.evaluation.real_clips import describe_looks, log_look, open_real_clips, original_pack
    bundle = load(arguments.model)
    data = chosen_data(arguments)
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
    result, _ = evaluate_clips(name_clips(data, split), bundle, dataset, clips, arguments.processes)
    print_now(clip_table(result))
    if data.kind == "composed":
        if not arguments.no_validation and (original_pack(data.path) / "validation.csv").exists():
            real = open_real_clips(data.path)
            looks = log_look(arguments.cache, bundle.name)
            print_now(clip_table(evaluate_clips("validation", bundle, real, real.clips)[0]))
            print_now(describe_looks(looks))
        print_now("\n".join(map(str, evaluate_demo(bundle))))


def _spared(bundle: Bundle) -> bool:
    """Whether a bundle was made without the sources that a third side is composed of."""
    settings = bundle.info.get("training", {}).get("settings", {})
    return bool(settings.get("data", {}).get("test_clips"))
