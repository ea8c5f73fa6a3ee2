"""Arguments that several actions share, and what they choose."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stream.errors import ConfigError
from stream.recognition.mel import CHANNELS
from stream.system.names import split_names
from train.datasets.labels import TASKS

if TYPE_CHECKING:
    from train.data_settings import DataSettings

log = logging.getLogger(__name__)

Actions = argparse._SubParsersAction  # what `ArgumentParser.add_subparsers` returns has no public name


def data_arguments() -> argparse.ArgumentParser:
    """Make the arguments that choose a data set, and how much of it."""
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


def running_arguments() -> argparse.ArgumentParser:
    """Make the arguments that say where features are kept, and how many processes compute them."""
    group = argparse.ArgumentParser(add_help=False)
    add = group.add_argument_group("running").add_argument
    home = Path.home() / ".cache/soloist"
    add("--cache", type=Path, default=home, help="folder for features (default: ~/.cache/soloist)")
    add("--processes", type=int, default=2, help="processes that compute features (default: %(default)s)")
    return group


def chosen_data(arguments: argparse.Namespace) -> DataSettings:
    """Read the choice of a data set from `data_arguments`."""
    from train.data_settings import DataSettings  # not before: --help need not wait for what reads and composes clips

    instruments = TASKS[arguments.task] if arguments.task else ()
    if arguments.instruments:
        instruments = comma_separated(arguments.instruments)
    at_least(arguments, 1, "clips", "validation_clips", "cap", "processes")
    at_least(arguments, 0, "test_clips")
    return DataSettings(
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


def input_channels(names: str) -> tuple[str, ...]:
    """Read the input channels, as for `stream.recognition.mel.stack`, or raise ConfigError."""
    found = comma_separated(names)
    if found[:1] != ("mel",) or set(found) - set(CHANNELS) or len(set(found)) < len(found):
        raise ConfigError(f"--channels is {names}; expected mel, or mel and after it some of {', '.join(CHANNELS[1:])}")
    return found


def comma_separated(names: str | None) -> tuple[str, ...]:
    """Read names between commas, those with commas in double quotes; none where nothing was given."""
    return split_names(names) if names else ()


def rendered_pack(data: Path, is_pack: bool, cache: Path, *, beyond: bool = False) -> Path:
    """Make the pack with rendered notes of a pack, or find it made; `beyond` renders for more than the eight.

    Raises
    ------
    ConfigError
        When the data is no pack, or the cache has that of another one.
    """
    from train.compose import rendered_notes, sound_fonts  # not before: --help need not wait for their libraries
    from train.evaluation.real_clips import original_pack

    if not is_pack:
        raise ConfigError(f"--render needs a pack, a folder with training.csv; {data} is none")
    out = cache.resolve() / ("pack-beyond" if beyond else "pack")
    if (out / "training.csv").exists() and original_pack(out) != data.resolve():
        raise ConfigError(f"{out} was rendered for {original_pack(out)}: name another --cache, or delete it")
    for rendered in rendered_notes.render_pack(data, out, sound_fonts.find_fonts((), beyond=beyond)):
        log.info("%s", rendered)
    log.info("clips are composed of %s", out)
    return out


def at_least(arguments: argparse.Namespace, least: int, *names: str) -> None:
    """Require numbers of `least` or more, where they are given, or raise ConfigError that names the flag."""
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value < least:
            raise ConfigError(f"--{name.replace('_', '-')} is {value}; expected {least} or more")


def require_share(name: str, value: float) -> float:
    """Require a share from 0 to 1, or raise ConfigError that names the flag."""
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} is {value:g}; expected 0 to 1")
    return value


def print_now(text: str) -> None:
    """Write a line to the standard output, also where that is a pipe that somebody reads along."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
