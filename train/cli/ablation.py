"""``soloist train ablation``: leave out one ingredient after another, and compare."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from stream.system.stderr import quiet_stderr
from train.cli.options import (
    Actions,
    at_least,
    chosen_data,
    comma_separated,
    data_arguments,
    print_now,
    require_share,
    running_arguments,
)


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parents = [data_arguments(), running_arguments()]
    parser = actions.add_parser("ablation", parents=parents, help="leave out one ingredient after another, and compare")
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for the table; an ablation stopped there goes on")
    add("--network", default="small", metavar="NAME", help="that of the full recipe (default: %(default)s)")
    add("--only", metavar="NAME,...", help="rows such as composer/codec, or groups: composer, augmentation, ...")
    add("--seeds", type=int, default=1, help="trainings of each row (default: %(default)s)")
    add("--full-seeds", type=int, default=3, help="of the full recipe, at least (default: %(default)s)")
    add("--epochs", type=int, help="of each training (default: 8)")
    add("--handovers", type=float, help="share of clips that begin with another player (default: 0.25)")
    add("--real", action="store_true", help="score the real clips of validation.csv as well: one look for all rows")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Train the full recipe and what lacks one ingredient of it, and print the table."""
    with quiet_stderr():  # not before: TensorFlow takes seconds, and tells of every library that it does not find
        from train.evaluation.real_clips import log_look
        from train.experiments import ablation, ablation_table
    at_least(arguments, 1, "epochs", "seeds", "full_seeds")
    schedule = ablation.SCHEDULE
    if arguments.epochs is not None:
        schedule = replace(schedule, epochs=arguments.epochs)
    if arguments.handovers is not None:
        schedule = replace(schedule, handovers=require_share("--handovers", arguments.handovers))
    found = ablation.run_ablation(
        replace(chosen_data(arguments), clips=arguments.clips or 6_000),
        arguments.cache,
        arguments.out,
        network=arguments.network,
        only=comma_separated(arguments.only),
        seeds=arguments.seeds,
        full_seeds=arguments.full_seeds,
        schedule=schedule,
        look=(lambda: log_look(arguments.cache, f"ablation {arguments.out}")) if arguments.real else None,
        processes=arguments.processes,
    )
    print_now(ablation_table.ablation_text(found))
