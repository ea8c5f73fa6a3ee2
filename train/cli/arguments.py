"""The arguments of ``soloist train``, and what they choose."""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.errors import ConfigError
from train.data_settings import Data
from train.datasets.medley import TASKS
from train.fitting.augmentation import AUGMENTATIONS
from train.fitting.schedule import Schedule

# Written out: who asks for help need not wait for Keras, or have it.
_NETWORKS = "lead, lead-average, lead-frequency, lead-separable, small"
_ROWS = "0a, 0a-tanh, 1, 2, 2-tanh, 2-mixed, 2B, 3, 3-5x5"


def data_of(arguments: argparse.Namespace) -> Data:
    """Read the choice of a data set from the arguments."""
    instruments = TASKS[arguments.task] if arguments.task else ()
    if arguments.instruments:
        instruments = tuple(name.strip() for name in arguments.instruments.split(","))
    at_least(arguments, 1, "clips", "validation_clips", "cap", "processes")
    at_least(arguments, 0, "test_clips")
    return Data(
        path=arguments.data,
        instruments=instruments,
        unknown=not instruments if arguments.unknown is None else arguments.unknown,
        division=arguments.division,
        balanced=arguments.balanced,
        cap=arguments.cap,
        clips=arguments.clips or 30_000,
        validation_clips=arguments.validation_clips,
        test_clips=arguments.test_clips,
        seed=arguments.seed,
    )


def at_least(arguments: argparse.Namespace, least: int, *names: str) -> None:
    """Require numbers of `least` or more, where they are given, or raise ConfigError that names the flag."""
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value < least:
            raise ConfigError(f"--{name.replace('_', '-')} is {value}; expected {least} or more")


def parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    whole = argparse.ArgumentParser(
        "soloist train", description="Soloist's laboratory: makes, measures and explains models."
    )
    actions = whole.add_subparsers(dest="action", required=True, metavar="ACTION")
    data, fitting, running, measuring, telling = _data(), _fitting(), _running(), _measuring(), _telling()

    action = actions.add_parser(
        "fit", parents=[data, fitting, running, measuring, telling], help="train a network and make its bundle"
    )
    action.add_argument("--out", type=Path, required=True, help="folder for the bundle")
    action.add_argument("--name", default="mine", help="the model's name (default: %(default)s)")
    action.add_argument("--run", type=Path, help="folder of the run (default: OUT/NAME); a run stopped there goes on")
    action.add_argument(
        "--render", action="store_true", help="first add notes rendered with FluidSynth to the pack, in CACHE/pack"
    )
    action.add_argument(
        "--refit",
        type=int,
        metavar="EPOCHS",
        help="of a pack: measure this, then go on with all sources, and ship that",
    )
    action.add_argument(
        "--refit-clips", type=int, metavar="N", help="to compose for that (default: as many as --clips)"
    )
    action.add_argument(
        "--distribute", action="store_true", help="train together with the workers that the variable TF_CONFIG names"
    )

    action = actions.add_parser(
        "evaluate", parents=[data, running], help="measure a bundle through the service's recognizer"
    )
    action.add_argument("model", help="name of a shipped model, or path of a .tflite or .json")
    action.add_argument("--split", choices=("training", "validation", "test"), help="default: test, else validation")
    action.add_argument(
        "--no-validation", action="store_true", help="do not look at the real clips of a pack's validation.csv"
    )

    action = actions.add_parser(
        "export", parents=[running, measuring, telling], help="make the bundle of a run again, and measure it"
    )
    action.add_argument("run", type=Path, help="folder of the run")
    action.add_argument("--out", type=Path, required=True, help="folder for the bundle")

    action = actions.add_parser("report", parents=[running, measuring], help="write report.html of a run")
    action.add_argument("run", type=Path, help="folder of the run")
    action.add_argument("--model", type=Path, help="bundle of the run (default: NAME.json beside the folder)")

    action = actions.add_parser("study", parents=[data, running], help="train the published networks, and compare")
    action.add_argument("--out", type=Path, required=True, help="folder for the tables; a study stopped there goes on")
    action.add_argument("--tasks", default="2,3,4", help="numbers of instruments (default: %(default)s)")
    action.add_argument("--rows", help="rows of the table of networks, by name (default: all)")
    action.add_argument("--seeds", type=int, default=3, help="trainings of each row (default: %(default)s)")
    action.add_argument("--epochs", type=int, help="at most, for each training")

    action = actions.add_parser(
        "ablation", parents=[data, running], help="leave out one ingredient after another, and compare"
    )
    add = action.add_argument
    add("--out", type=Path, required=True, help="folder for the table; an ablation stopped there goes on")
    add("--network", default="small", metavar="NAME", help="that of the full recipe (default: %(default)s)")
    add("--only", metavar="NAME,...", help="rows such as composer/codec, or groups: composer, augmentation, ...")
    add("--seeds", type=int, default=1, help="trainings of each row (default: %(default)s)")
    add("--full-seeds", type=int, default=3, help="of the full recipe, at least (default: %(default)s)")
    add("--epochs", type=int, help="of each training (default: 8)")
    add("--handovers", type=float, help="share of clips that begin with another player (default: 0.25)")
    add("--real", action="store_true", help="score the real clips of validation.csv as well: one look for all rows")

    action = actions.add_parser("search", parents=[data, running], help="search for better hyper-parameters")
    action.add_argument("--out", type=Path, required=True, help="folder for the report; a search stopped there goes on")
    action.add_argument("--trials", type=int, default=40, help="trainings, former ones included (default: %(default)s)")
    action.add_argument("--epochs", type=int, default=8, help="at most, for each training (default: %(default)s)")
    action.add_argument("--channels", default="mel", help="input channels: mel, or mel,delta (default: %(default)s)")

    action = actions.add_parser(
        "examples", parents=[data, running], help="write clips to listen to, and their spectrograms"
    )
    action.add_argument("--out", type=Path, required=True, help="folder for the clips")
    action.add_argument("--each", type=int, default=4, help="clips of each label (default: %(default)s)")

    action = actions.add_parser("render", help="make a pack of another one and of notes rendered with FluidSynth")
    action.add_argument("--data", type=Path, required=True, help="the pack, which stays as it is")
    action.add_argument("--out", type=Path, required=True, help="folder for the new pack; what is there is kept")
    action.add_argument("--soundfont", type=Path, nargs="+", default=[], help="their files, if not those of Debian")

    action = actions.add_parser(
        "programmes", parents=[running], help="measure delay and flicker of a bundle on continuous programmes"
    )
    action.add_argument("--data", type=Path, required=True, help="the pack to compose of, with its validation.csv")
    action.add_argument("--model", required=True, help="name of a shipped model, or path of a .tflite or .json")
    action.add_argument("--programmes", type=int, default=40, help="to compose, 70 s each (default: %(default)s)")
    action.add_argument("--solos", type=int, default=32, help="minutes of one player (default: %(default)s)")
    action.add_argument("--seed", type=int, default=0, help="of what is composed (default: %(default)s)")
    action.add_argument(
        "--real", action="store_true", help="also the real clips of validation.csv in a row: a look at them, and logged"
    )
    action.add_argument(
        "--tune", action="store_true", help="instead, on other programmes, what each way of smoothing would cost"
    )
    action.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")

    action = actions.add_parser("download", help="download Medley-solos-DB with mirdata, and check it")
    action.add_argument("folder", type=Path, help="where to")
    action = actions.add_parser("check", help="compare a copy of Medley-solos-DB with the published checksums")
    action.add_argument("folder", type=Path, help="where it is")
    return whole


def _data() -> argparse.ArgumentParser:
    group = argparse.ArgumentParser(add_help=False)
    add = group.add_argument_group("data").add_argument
    add(
        "--data",
        type=Path,
        required=True,
        help="Medley-solos-DB, a folder with a folder of audio per class, a manifest (.csv), or a pack to compose of",
    )
    add("--task", choices=tuple(TASKS), help="the study's instruments: 2, 3, 4 or all 8")
    add("--instruments", help="labels to tell apart, separated by commas (default: all)")
    add("--seed", type=int, default=0, help="of splits and composed clips (default: %(default)s)")
    add = group.add_argument_group("of Medley-solos-DB").add_argument
    add("--division", choices=("official", "study"), default="official", help="whose splits (default: %(default)s)")
    add("--balanced", action="store_true", help="as many clips of every instrument")
    add("--cap", type=int, help="most clips of an instrument in a split")
    add = group.add_argument_group("of a pack").add_argument
    add("--clips", type=int, help="training clips to compose (default: 30000; as the study for a search)")
    add("--validation-clips", type=int, default=2400, help="validation clips to compose (default: %(default)s)")
    add("--test-clips", type=int, default=0, help="test clips to compose, of sources of their own (default: none)")
    add(
        "--unknown",
        action=argparse.BooleanOptionalAction,
        help="with the label unknown (default: unless labels are named)",
    )
    return group


def _fitting() -> argparse.ArgumentParser:
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


def _running() -> argparse.ArgumentParser:
    group = argparse.ArgumentParser(add_help=False)
    add = group.add_argument_group("running").add_argument
    home = Path.home() / ".cache/soloist"
    add("--cache", type=Path, default=home, help="folder for features (default: ~/.cache/soloist)")
    add("--processes", type=int, default=2, help="processes that compute features (default: %(default)s)")
    return group


def _measuring() -> argparse.ArgumentParser:
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


def _telling() -> argparse.ArgumentParser:
    group = argparse.ArgumentParser(add_help=False)
    add = group.add_argument_group("card").add_argument
    add("--ablation", type=Path, metavar="FILE|FOLDER", help="put the table of an ablation into the card")
    add("--notes", type=Path, metavar="FILE", help="put findings into the card: what it gets wrong, and why")
    return group
