"""``soloist train report``: write report.html of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.recognition.bundle import load
from stream.system.stderr import quiet_stderr
from train.cli.bundle_options import extra_measurements, extract_corpora, load_run, measuring_arguments, open_known
from train.cli.options import Actions, print_now, running_arguments


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parents = [running_arguments(), measuring_arguments()]
    parser = actions.add_parser("report", parents=parents, help="write report.html of a run")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--model", type=Path, help="bundle of the run (default: NAME.json beside the folder)")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Write the report of a run again."""
    with quiet_stderr():  # not before: TensorFlow takes seconds, and tells of every library that it does not find
        from train.evaluation.bundle_evaluation import evaluate_bundle
        from train.pipeline.release import write_report
    training = load_run(arguments.run)
    bundle = load(arguments.model or arguments.run.resolve().parent / f"{training.name}.json")
    extra = extra_measurements(training.data, arguments)
    dataset = open_known(training.data, extra, arguments.cache)
    model = training.model(arguments.run, dataset.labels)
    dataset, corpora = extract_corpora(dataset, arguments)
    evaluation = evaluate_bundle(training.data, bundle, model, dataset, corpora, arguments.processes, extra)
    evaluation.save(arguments.run)
    print_now(str(write_report(training, arguments.run, evaluation, dataset, corpora)))
