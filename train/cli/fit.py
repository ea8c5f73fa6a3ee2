"""``soloist train fit``: train a network, and make its bundle, card and report."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stream.errors import ConfigError
from stream.system.stderr import quiet_stderr
from train.cli.bundle_options import (
    card_arguments,
    card_texts,
    extra_measurements,
    extract_corpora,
    measuring_arguments,
    open_known,
    print_bundle,
)
from train.cli.options import (
    Actions,
    at_least,
    chosen_data,
    comma_separated,
    data_arguments,
    input_channels,
    require_share,
    running_arguments,
)
from train.fitting.augmentation import AUGMENTATIONS
from train.fitting.schedule import Schedule, fit_batch_size

if TYPE_CHECKING:
    from train.data_settings import DataSettings
    from train.fitting.training_run import TrainingRun

log = logging.getLogger(__name__)

# Written out: who asks for help need not wait for Keras, or have it.
_NETWORKS = "lead, lead-average, lead-frequency, lead-separable, small"
_ROWS = "0a, 0a-tanh, 1, 2, 2-tanh, 2-mixed, 2B, 3, 3-5x5"


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parents = [data_arguments(), _fitting_arguments(), running_arguments(), measuring_arguments(), card_arguments()]
    parser = actions.add_parser("fit", parents=parents, help="train a network and make its bundle")
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for the bundle")
    add("--name", default="mine", help="the model's name (default: %(default)s)")
    add("--run", type=Path, help="folder of the run (default: OUT/NAME); a run stopped there goes on")
    add("--render", action="store_true", help="first add notes rendered with FluidSynth to the pack, in CACHE/pack")
    add(
        "--refit",
        type=int,
        metavar="EPOCHS",
        help="of a pack: measure this, then go on with all sources, and ship that",
    )
    add("--refit-clips", type=int, metavar="N", help="to compose for that (default: as many as --clips)")
    add("--distribute", action="store_true", help="train together with the workers that the variable TF_CONFIG names")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Train a network, and make its bundle, card and report."""
    with quiet_stderr():  # not before: TensorFlow takes seconds, and tells of every library that it does not find
        from train.fitting.cluster import Cluster
        from train.fitting.fit import CHECKPOINT, fit
        from train.pipeline import refit
        from train.pipeline.release import make_bundle
    training = _training_run(arguments)
    folder = arguments.run or arguments.out / training.name
    cluster = Cluster(distribute=arguments.distribute)
    extra, texts = extra_measurements(training.data, arguments), card_texts(arguments)
    if arguments.refit:
        refit.with_all_sources(training, arguments.refit)  # what cannot be is not to be told hours later
    if arguments.render:
        training = replace(training, data=replace(training.data, path=_render_pack(training.data, arguments.cache)))
    dataset = open_known(training.data, extra, arguments.cache)
    corpora = extract_corpora(dataset, arguments)
    if not arguments.batch and not arguments.settings:
        training = replace(training, schedule=fit_batch_size(training.schedule, len(corpora["training"])))
    if cluster.chief and not (folder / CHECKPOINT).exists():
        training.save(folder)  # so that it can be exported and reported whatever happens
    fitted = fit(
        training.variant,
        corpora["training"],
        corpora["validation"],
        training.schedule,
        channels=training.channels,
        cluster=cluster,
        folder=folder,
        progress=True,
    )
    if not cluster.chief:
        return
    training.save(folder)
    processes = arguments.processes
    if not arguments.refit:
        make_bundle(training, folder, arguments.out, dataset, corpora, fitted.model, processes, extra=extra, **texts)
        print_bundle(arguments.out, training, folder)
        return
    twin = refit.measure_twin(training, folder, dataset, corpora, fitted.model, extra, processes)
    again = refit.with_all_sources(training, arguments.refit, arguments.refit_clips)
    dataset = open_known(again.data, extra, arguments.cache)
    corpora = extract_corpora(dataset, arguments)
    refit.refit(again, folder, arguments.out, dataset, corpora, fitted.model, twin, extra, processes, **texts)
    print_bundle(arguments.out, again, folder / refit.REFIT_FOLDER)


def _fitting_arguments() -> argparse.ArgumentParser:
    group = argparse.ArgumentParser(add_help=False)
    add = group.add_argument_group("network").add_argument
    add(
        *("--network", "--variant"),
        metavar="NAME",
        default="2B",
        help=f"one of {_NETWORKS}, or a row of the study's table: {_ROWS} (default: %(default)s)",
    )
    add("--channels", default="mel", help="input channels: mel, or mel,delta (default: %(default)s)")
    add("--settings", type=Path, metavar="best.json", help="what a search chose, instead of all flags of this kind")
    add = group.add_argument_group("fitting").add_argument
    add("--epochs", type=int, default=40, help="at most (default: %(default)s)")
    add(
        "--patience", type=int, default=10, help="stop after so many epochs without a better one (default: %(default)s)"
    )
    add("--batch", type=int, help="clips in a step (default: 64, down to 8 for less than 2048 clips)")
    add("--rate", type=float, default=2e-3, help="learning rate (default: %(default)s)")
    add("--average", type=float, help=f"decay of the moving average of the weights (default: {Schedule().average:g})")
    add("--handovers", type=float, default=0.0, help="share of clips that begin with another player (default: none)")
    add("--without-augmentation", metavar="NAME,...", help=f"leave out some of {', '.join(AUGMENTATIONS)}")
    add("--plain", action="store_true", help="no augmentation, label smoothing or average, as in the study")
    add("--fit-seed", type=int, default=0, help="of weights, order and augmentation (default: %(default)s)")
    return group


def _training_run(arguments: argparse.Namespace) -> TrainingRun:
    """Read what to train from the arguments."""
    from train.fitting.training_run import TrainingRun  # not before: it needs Keras
    from train.networks.architectures import NETWORKS

    if arguments.network not in NETWORKS:
        raise ConfigError(f"no network {arguments.network!r}; there are {', '.join(NETWORKS)}")
    data = chosen_data(arguments)
    if arguments.settings:
        from train.experiments import search  # only here: it needs Optuna, which takes a second

        variant, schedule, inputs = search.load_best(arguments.settings)
        return TrainingRun(arguments.name, data, variant, inputs, schedule, arguments.command)
    inputs = input_channels(arguments.channels)
    network = NETWORKS[arguments.network]
    return TrainingRun(arguments.name, data, network, inputs, _schedule(arguments), arguments.command)


def _schedule(arguments: argparse.Namespace) -> Schedule:
    """Read how to fit from the arguments."""
    at_least(arguments, 1, "epochs", "batch", "patience", "refit", "refit_clips")
    average = Schedule().average if arguments.average is None else arguments.average
    if arguments.plain and arguments.average is None:
        average = 0.0
    if not 0 <= average < 1:
        raise ConfigError(f"--average is {average:g}; expected 0 or more, and less than 1")
    return Schedule(
        epochs=arguments.epochs,
        batch=arguments.batch or Schedule().batch,
        rate=arguments.rate,
        smoothing=0.0 if arguments.plain else Schedule().smoothing,
        patience=arguments.patience,
        augmented=not arguments.plain,
        without=_without(arguments.without_augmentation),
        handovers=require_share("--handovers", arguments.handovers),
        average=average,
        seed=arguments.fit_seed,
    )


def _without(names: str | None) -> tuple[str, ...]:
    without = comma_separated(names)
    if unknown := [name for name in without if name not in AUGMENTATIONS]:
        raise ConfigError(f"no augmentation {unknown[0]!r}; there are {', '.join(AUGMENTATIONS)}")
    return without


def _render_pack(data: DataSettings, cache: Path) -> Path:
    """Make the pack with rendered notes, or find it made."""
    from train.compose import rendered_notes, sound_fonts  # not before: --help need not wait for their libraries
    from train.evaluation.real_clips import original_pack

    if data.kind != "composed":
        raise ConfigError(f"--render needs a pack, a folder with training.csv; {data.path} is none")
    out = cache.resolve() / "pack"
    if (out / "training.csv").exists() and original_pack(out) != data.path.resolve():
        raise ConfigError(f"{out} was rendered for {original_pack(out)}: name another --cache, or delete it")
    for rendered in rendered_notes.render_pack(data.path, out, sound_fonts.find_fonts(())):
        log.info("%s", rendered)
    log.info("clips are composed of %s", out)
    return out
