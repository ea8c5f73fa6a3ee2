"""``soloist train programmes``: measure delay and flicker of a bundle on continuous programmes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from stream.errors import ConfigError
from stream.recognition.bundle import load
from stream.system.stderr import quiet_stderr
from train.cli.options import Actions, at_least, print_now, running_arguments
from train.evaluation.real_clips import describe_looks

_ASIDE: Final = 1000  # first number of the programmes that smoothing is chosen on: others than those it is judged by


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parser = actions.add_parser(
        "programmes",
        parents=[running_arguments()],
        help="measure delay and flicker of a bundle on continuous programmes",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="the pack to compose of, with its validation.csv")
    add("--model", required=True, help="name of a shipped model, or path of a .tflite or .json")
    add("--programmes", type=int, default=40, help="to compose, 70 s each (default: %(default)s)")
    add("--solos", type=int, default=32, help="minutes of one player (default: %(default)s)")
    add("--seed", type=int, default=0, help="of what is composed (default: %(default)s)")
    add(
        "--real", action="store_true", help="also the real clips of validation.csv in a row: a look at them, and logged"
    )
    add("--tune", action="store_true", help="instead, on other programmes, what each way of smoothing would cost")
    add("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Print how a bundle follows continuous programmes, or what smoothing otherwise would cost."""
    with quiet_stderr():  # not before: --help need not wait for TensorFlow and what composes programmes
        from train.atomic_file import write_atomically
        from train.compose.clip_programmes import ClipProgrammes
        from train.compose.composed_programmes import ComposedProgrammes
        from train.evaluation import programme_result, smoothing_tradeoff
        from train.evaluation.bundle_evaluation import REAL_CLIP_ORDERS
        from train.evaluation.programme_evaluation import evaluate_programmes
        from train.evaluation.programme_predictions import predict_programmes
        from train.evaluation.real_clips import log_look, open_real_clips
    at_least(arguments, 1, "programmes", "solos", "processes")
    bundle = load(arguments.model)
    composed = ComposedProgrammes(arguments.data, arguments.cache, arguments.seed)
    counts = arguments.programmes, arguments.solos
    record: Any
    if arguments.tune:
        if arguments.real:
            raise ConfigError("--tune and --real exclude each other: nothing is chosen on the real clips")
        heard = predict_programmes(bundle, composed, *counts, arguments.processes, first=_ASIDE)
        choices = smoothing_tradeoff.compare_smoothings(bundle, *heard)
        print_now(smoothing_tradeoff.smoothing_table(choices))
        record = [choice.figures() for choice in choices]
    else:
        programme_results = [evaluate_programmes("composed", bundle, composed, *counts, arguments.processes)]
        if arguments.real:
            real = open_real_clips(arguments.data)
            looks = log_look(arguments.cache, bundle.name)
            clip_programmes = ClipProgrammes(real, real.clips, arguments.seed)
            programme_results.append(
                evaluate_programmes(
                    "real", bundle, clip_programmes, REAL_CLIP_ORDERS, len(real.labels), arguments.processes
                )
            )
        print_now(programme_result.programme_table(programme_results))
        if arguments.real:
            print_now(f"\n{describe_looks(looks)}")
        record = {measured.name: measured.figures() for measured in programme_results}
    if arguments.json:
        write_atomically(arguments.json, (json.dumps(record, indent=1) + "\n").encode())
