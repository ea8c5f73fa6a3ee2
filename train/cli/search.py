"""``soloist train search``: search for better hyper-parameters."""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.system.stderr import quiet_stderr
from train.cli.options import (
    Actions,
    at_least,
    chosen_data,
    data_arguments,
    input_channels,
    print_now,
    running_arguments,
)


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parents = [data_arguments(), running_arguments()]
    parser = actions.add_parser("search", parents=parents, help="search for better hyper-parameters")
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for the report; a search stopped there goes on")
    add("--trials", type=int, default=40, help="trainings, former ones included (default: %(default)s)")
    add("--epochs", type=int, default=8, help="at most, for each training (default: %(default)s)")
    add("--channels", default="mel", help="input channels: mel, or mel,delta (default: %(default)s)")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Search for better hyper-parameters, and print what came out."""
    with quiet_stderr():  # not before: TensorFlow takes seconds, and tells of every library that it does not find
        from train.experiments.search import run_search
        from train.experiments.study import sized_as_study
    at_least(arguments, 1, "epochs", "trials")
    data = chosen_data(arguments)
    run_search(
        data if arguments.clips else sized_as_study(data),
        arguments.cache,
        arguments.out,
        trials=arguments.trials,
        epochs=arguments.epochs,
        seed=arguments.seed,
        channels=input_channels(arguments.channels),
        processes=arguments.processes,
    )
    print_now((arguments.out / "search.md").read_text(encoding="utf-8"))
