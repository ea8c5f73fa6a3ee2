"""``soloist train study``: train the published networks, and compare."""

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
    running_arguments,
)


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parents = [data_arguments(), running_arguments()]
    parser = actions.add_parser("study", parents=parents, help="train the published networks, and compare")
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for the tables; a study stopped there goes on")
    add("--tasks", default="2,3,4", help="numbers of instruments (default: %(default)s)")
    add("--rows", help="rows of the table of networks, by name (default: all)")
    add("--seeds", type=int, default=3, help="trainings of each row (default: %(default)s)")
    add("--epochs", type=int, help="at most, for each training")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Train the published networks, and print their table."""
    with quiet_stderr():  # not before: TensorFlow takes seconds, and tells of every library that it does not find
        from train.experiments import study, study_table
    at_least(arguments, 1, "epochs", "seeds")
    schedule = study.SCHEDULE if arguments.epochs is None else replace(study.SCHEDULE, epochs=arguments.epochs)
    found = study.run_study(
        chosen_data(arguments),
        arguments.cache,
        arguments.out,
        tasks=arguments.tasks.split(","),
        rows=comma_separated(arguments.rows) or tuple(study.ROWS),
        seeds=arguments.seeds,
        schedule=schedule,
        processes=arguments.processes,
    )
    print_now(study_table.study_text(found))
