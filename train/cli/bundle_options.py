"""What the actions share that make or measure a bundle: arguments, the run, its clips, and what is printed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.errors import ConfigError, SourceError
from train.cli.options import at_least, print_now

if TYPE_CHECKING:
    from train.data_settings import DataSettings
    from train.datasets.clips import Dataset
    from train.datasets.corpus import Corpora
    from train.evaluation.bundle_evaluation import ExtraMeasurements
    from train.fitting.training_run import TrainingRun


def measuring_arguments() -> argparse.ArgumentParser:
    """Make the arguments that say what to measure of a bundle besides its clips."""
    group = argparse.ArgumentParser(add_help=False)
    add = group.add_argument_group("measuring").add_argument
    add(
        "--real",
        nargs="?",
        const="",
        metavar="PACK",
        help="also the real clips of the pack's validation.csv: a look at them, and logged",
    )
    add("--programmes", type=int, default=40, help="to compose of a pack, 70 s each (default: %(default)s)")
    add("--solos", type=int, default=32, help="minutes of one player besides (default: %(default)s)")
    add("--no-programmes", dest="programmes", action="store_const", const=0, help="none of these, which take minutes")
    return group


def card_arguments() -> argparse.ArgumentParser:
    """Make the arguments that say what the card tells besides figures."""
    group = argparse.ArgumentParser(add_help=False)
    add = group.add_argument_group("card").add_argument
    add("--ablation", type=Path, metavar="FILE|FOLDER", help="put the table of an ablation into the card")
    add("--notes", type=Path, metavar="FILE", help="put findings into the card: what it gets wrong, and why")
    return group


def extra_measurements(data: DataSettings, arguments: argparse.Namespace) -> ExtraMeasurements:
    """Read what to measure besides, and open the real clips: what is wrong with them is not to be told hours later."""
    from train.evaluation.bundle_evaluation import (
        ExtraMeasurements,  # not before: --help need not wait for its libraries
    )
    from train.evaluation.real_clips import open_real_clips

    at_least(arguments, 0, "programmes", "solos")
    real = None
    if arguments.real is not None:
        if not arguments.real and data.kind != "composed":
            raise ConfigError(
                f"{data.path} is no pack with real clips: name the folder of a validation.csv, --real PACK"
            )
        real = open_real_clips(Path(arguments.real) if arguments.real else data.path)
    return ExtraMeasurements(arguments.cache, arguments.programmes, arguments.solos, real)


def card_texts(arguments: argparse.Namespace) -> dict[str, Any]:
    """Read the texts of `card_arguments`: `ablation` and `notes`, empty where there is none."""
    table, notes = arguments.ablation, arguments.notes
    if table and table.is_dir():
        table = table / "ablation.md"
    return {"ablation": _text(table) if table else "", "notes": _text(notes) if notes else ""}


def load_run(folder: Path) -> TrainingRun:
    """Read what was trained, or raise ConfigError where a bundle cannot be made of it again."""
    from train.fitting.training_run import TrainingRun  # not before: it needs Keras

    run = TrainingRun.load(folder)
    if run.data.all_sources:
        raise ConfigError(f"{folder} has its calibration from its twin; this makes both again: {run.command}")
    if "--render" in run.command.split() and not run.data.path.exists():
        raise ConfigError(f"{run.data.path}, with rendered notes, is gone; this makes it again: {run.command}")
    return run


def open_known(data: DataSettings, extra: ExtraMeasurements, cache: Path) -> Dataset:
    """Open a data set to train on, and require that the real clips are of labels that it has."""
    from train.datasets.training_checks import require_trainable  # not before: --help need not wait for its libraries

    dataset = require_trainable(data.open(cache))
    if extra.real and not set(extra.real.labels) & set(dataset.labels):
        raise ConfigError(f"the real clips are of {', '.join(extra.real.labels)}: none is a label of {dataset.name}")
    return dataset


def extract_corpora(dataset: Dataset, arguments: argparse.Namespace) -> tuple[Dataset, Corpora]:
    """Compute features, divide what can be used, and see that there are clips of every label."""
    from train.datasets.corpus import extract  # not before: --help need not wait for its libraries
    from train.datasets.training_checks import require_clips

    extraction = extract(dataset, arguments.cache, processes=arguments.processes)
    corpora = extraction.corpora
    require_clips(dataset.labels, [clip for corpus in corpora.values() for clip in corpus.clips])
    return extraction.dataset, corpora


def print_bundle(out: Path, run: TrainingRun, folder: Path) -> None:
    """Print the card of a bundle, and where its files are."""
    print_now((out / f"{run.name}.md").read_text(encoding="utf-8"))
    print_now(f"{out / run.name}.tflite\n{out / run.name}.json\n{folder / 'report.html'}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise SourceError(f"cannot read {path}: {error}") from error
