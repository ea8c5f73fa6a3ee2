"""``soloist train fit``: train a network, and make its bundle, card and report."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stream.errors import ConfigError
from stream.recognition.bundle import MAX_NAME_LENGTH, load
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
    rendered_pack,
    require_share,
    running_arguments,
)
from train.fitting.augmentation import AUGMENTATIONS
from train.fitting.schedule import Schedule, fit_batch_size

if TYPE_CHECKING:
    from train.fitting.pretrained import Pretrained
    from train.fitting.training_run import TrainingRun

log = logging.getLogger(__name__)

# Written out: who asks for help need not wait for Keras, or have it.
_NETWORKS = "lead, lead-average, lead-frequency, lead-separable, small"
_ROWS = "0a, 0a-tanh, 1, 2, 2-tanh, 2-mixed, 2B, 3, 3-5x5"

_START = "residual"  # of recordings of one's own
_EPOCHS = Schedule().epochs
_TUNING_EPOCHS = 30  # a network that has learned already needs fewer, and smaller steps
_TUNING_RATE = 1e-3


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
    training, pretrained = _training_run(arguments)
    folder = arguments.run or arguments.out / training.name
    cluster = Cluster(distribute=arguments.distribute)
    extra, texts = extra_measurements(training.data, arguments), card_texts(arguments)
    if arguments.refit:
        refit.with_all_sources(training, arguments.refit)  # what cannot be is not to be told hours later
    if arguments.render:
        training = replace(
            training,
            data=replace(
                training.data, path=rendered_pack(training.data.path, training.data.kind == "composed", arguments.cache)
            ),
        )
    dataset = open_known(training.data, extra, arguments.cache)
    dataset, corpora = extract_corpora(dataset, arguments)
    if not arguments.batch and not arguments.settings:
        training = replace(training, schedule=fit_batch_size(training.schedule, len(corpora["training"])))
    if cluster.chief and not (folder / CHECKPOINT).exists():
        training.save(folder)  # so that it can be exported and reported whatever happens
    if pretrained and cluster.chief:
        name = pretrained.network.name
        log.info("starting from the weights of %s, network %s (--start none: from fresh ones)", training.start, name)
    fitted = fit(
        training.variant,
        corpora["training"],
        corpora["validation"],
        training.schedule,
        channels=training.channels,
        cluster=cluster,
        folder=folder,
        progress=True,
        start=pretrained,
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
    dataset, corpora = extract_corpora(dataset, arguments)
    refit.refit(again, folder, arguments.out, dataset, corpora, fitted.model, twin, extra, processes, **texts)
    print_bundle(arguments.out, again, folder / refit.REFIT_FOLDER)


def _fitting_arguments() -> argparse.ArgumentParser:
    group = argparse.ArgumentParser(add_help=False)
    add = group.add_argument_group("network").add_argument
    add(
        *("--network", "--variant"),
        metavar="NAME",
        help=f"one of {_NETWORKS}, or a row of the study's table: {_ROWS} (default: that of --start, else 2B)",
    )
    add(
        "--start",
        metavar="MODEL",
        help="begin with the weights of a shipped model, or of a .json of yours; none: with fresh ones "
        "(default: residual for recordings of your own, where no network is named; else none)",
    )
    add("--channels", help="input channels: mel, or mel,delta (default: those of --start, else mel)")
    add("--settings", type=Path, metavar="best.json", help="what a search chose, instead of all flags of this kind")
    add = group.add_argument_group("fitting").add_argument
    add("--epochs", type=int, help=f"at most (default: {_EPOCHS}; {_TUNING_EPOCHS} with --start)")
    add(
        "--patience", type=int, default=10, help="stop after so many epochs without a better one (default: %(default)s)"
    )
    add("--batch", type=int, help="clips in a step (default: 64, down to 8 for less than 2048 clips)")
    add("--rate", type=float, help=f"learning rate (default: {Schedule().rate:g}; {_TUNING_RATE:g} with --start)")
    add("--average", type=float, help=f"decay of the moving average of the weights (default: {Schedule().average:g})")
    add("--handovers", type=float, default=0.0, help="share of clips that begin with another player (default: none)")
    add("--without-augmentation", metavar="NAME,...", help=f"leave out some of {', '.join(AUGMENTATIONS)}")
    add("--plain", action="store_true", help="no augmentation, label smoothing or average, as in the study")
    add("--fit-seed", type=int, default=0, help="of weights, order and augmentation (default: %(default)s)")
    return group


def _training_run(arguments: argparse.Namespace) -> tuple[TrainingRun, Pretrained | None]:
    """Read from the arguments what to train, and which weights to begin with."""
    from train.fitting.training_run import TrainingRun  # not before: it needs Keras
    from train.networks.architectures import NETWORKS

    if arguments.network is not None and arguments.network not in NETWORKS:
        raise ConfigError(f"no network {arguments.network!r}; there are {', '.join(NETWORKS)}")
    _require_name(arguments.name)
    data = chosen_data(arguments)
    if arguments.settings:
        from train.experiments import search  # only here: it needs Optuna, which takes a second

        if arguments.start not in (None, "none"):
            raise ConfigError("--settings has a network of its own, which cannot begin with the weights of --start")
        variant, schedule, inputs = search.load_best(arguments.settings)
        return TrainingRun(arguments.name, data, variant, inputs, schedule, arguments.command), None
    start = arguments.start
    if start is None and arguments.network is None and data.kind in ("folder", "manifest"):
        start = _START
    if start in (None, "none"):
        inputs = input_channels(arguments.channels or "mel")
        network = NETWORKS[arguments.network or "2B"]
        return TrainingRun(arguments.name, data, network, inputs, _schedule(arguments), arguments.command), None
    pretrained = _pretrained(start, arguments)
    network, inputs = pretrained.network, pretrained.channels
    schedule = _schedule(arguments, epochs=_TUNING_EPOCHS, rate=_TUNING_RATE)
    return TrainingRun(arguments.name, data, network, inputs, schedule, arguments.command, start), pretrained


def _pretrained(start: str, arguments: argparse.Namespace) -> Pretrained:
    """Read the weights to begin with, and require that they are of what is asked for."""
    from train.fitting.pretrained import read_pretrained  # not before: it needs Keras

    pretrained = read_pretrained(load(start))
    if arguments.network not in (None, pretrained.network.name):
        raise ConfigError(
            f"{start} is of the network {pretrained.network.name}, not {arguments.network}: leave out --network, or "
            "begin with fresh weights, --start none"
        )
    if arguments.channels and input_channels(arguments.channels) != pretrained.channels:
        raise ConfigError(
            f"{start} hears {','.join(pretrained.channels)}, not {arguments.channels}: leave out --channels, or begin "
            "with fresh weights, --start none"
        )
    return pretrained


def _require_name(name: str) -> None:
    """Require a name that a bundle and its files can have, before hours are spent on it."""
    wrong = next((character for character in name if not character.isprintable() or character == "/"), None)
    if wrong is not None or not 0 < len(name) <= MAX_NAME_LENGTH:
        what = f"has {wrong!a}, which none may have" if wrong else f"has {len(name)} characters"
        raise ConfigError(f"--name {name!a} {what}; expected 1 to {MAX_NAME_LENGTH} characters that can be printed")


def _schedule(arguments: argparse.Namespace, epochs: int = _EPOCHS, rate: float = Schedule().rate) -> Schedule:
    """Read how to fit from the arguments; epochs and learning rate are for where these say nothing."""
    at_least(arguments, 1, "epochs", "batch", "patience", "refit", "refit_clips")
    average = Schedule().average if arguments.average is None else arguments.average
    if arguments.plain and arguments.average is None:
        average = 0.0
    if not 0 <= average < 1:
        raise ConfigError(f"--average is {average:g}; expected 0 or more, and less than 1")
    return Schedule(
        epochs=arguments.epochs or epochs,
        batch=arguments.batch or Schedule().batch,
        rate=arguments.rate or rate,
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
