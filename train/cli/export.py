"""``soloist train export``: make the bundle of a run again, and measure it."""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.system.stderr import quiet_stderr
from train.cli.bundle_options import (
    card_arguments,
    card_texts,
    extra_measurements,
    extract_corpora,
    load_run,
    measuring_arguments,
    open_known,
    print_bundle,
)
from train.cli.options import Actions, running_arguments


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parents = [running_arguments(), measuring_arguments(), card_arguments()]
    parser = actions.add_parser("export", parents=parents, help="make the bundle of a run again, and measure it")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--out", type=Path, required=True, help="folder for the bundle")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Make the bundle of a run again."""
    with quiet_stderr():  # not before: TensorFlow takes seconds, and tells of every library that it does not find
        from train.pipeline.release import make_bundle
    training = load_run(arguments.run)
    extra, texts = extra_measurements(training.data, arguments), card_texts(arguments)
    dataset = open_known(training.data, extra, arguments.cache)
    model = training.model(arguments.run, dataset.labels)
    dataset, corpora = extract_corpora(dataset, arguments)
    make_bundle(
        training, arguments.run, arguments.out, dataset, corpora, model, arguments.processes, extra=extra, **texts
    )
    print_bundle(arguments.out, training, arguments.run)
