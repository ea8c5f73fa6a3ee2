"""`soloist teach`: a name for what somebody plays, in audio files or on a line of a running service."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from stream.cli.own_service import add_client_flags
from stream.cli.player_report import add_folder, printable_report
from stream.cli.settings_flags import sources
from stream.errors import ConfigError
from stream.system.terminal import print_error, printable

if TYPE_CHECKING:
    from stream.recognition.mel import Array

HELP = "teach a name from 10 to 60 seconds of playing"

_BLOCK: Final = 1 << 16  # frames
_OF_FILES: Final = ("channel", "gate", "players", "model", "config")
_OF_SERVICE: Final = ("line", "url", "token", "token_file", "ca")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add whom to teach, from what, and where it is kept."""
    add = parser.add_argument
    add("name", metavar="NAME", help="what is to be shown: a person, an instrument")
    add(
        "files",
        nargs="*",
        default=[],
        metavar="FILE",
        help="recordings of that alone, 10 to 60 seconds together; without any, a running service listens",
    )
    add(
        "--like",
        metavar="LABEL|none",
        help="the model's label that it is one of, others of which may be taken for it; none: it is told from all",
    )
    add("--channel", metavar="N", help="listen to this channel only, counted from 1")
    add("--gate", metavar="DBFS", help="level below which the input counts as silent (-70)")
    add_folder(parser)
    service = parser.add_argument_group("a running service, which has to allow it (soloist run --control)")
    service.add_argument("--line", metavar="LINE", help="the line on which they play, where it has lines")
    service.add_argument("--url", metavar="URL", help="HOST:PORT or the page's address (SOLOIST_HOST, SOLOIST_PORT)")
    add_client_flags(service)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Listen, fit, write, and tell how well it is told apart."""
    if options.files:
        _refuse(options, _OF_SERVICE, "without files: then a running service listens")
        return _teach_from_files(options)
    _refuse(options, _OF_FILES, "with files: a running service has settings of its own")
    from stream.cli import teach_live

    return teach_live.execute(options)


def _refuse(options: argparse.Namespace, names: Sequence[str], when: str) -> None:
    """Refuse flags that would say nothing."""
    given = vars(options)
    for name in names:
        if name in given:
            raise ConfigError(f"--{name.replace('_', '-')} can only be used {when}")


def _teach_from_files(options: argparse.Namespace) -> int:
    import os
    from pathlib import Path

    from stream.players.bank import load_bank
    from stream.players.enrolment import enrol
    from stream.players.folder import PlayerFolder, default_folder
    from stream.players.player import checked_name
    from stream.recognition import bundle
    from stream.recognition.classifier import Classifier
    from stream.settings.reading import read, refuse

    like = vars(options).pop("like", None)
    reading = read(*sources(options, input="-"))
    refuse(reading.problems)
    settings = reading.settings.recognition
    model = bundle.load(settings.model)
    checked_name(options.name, model)  # before anything takes time
    path = default_folder(os.environ) if settings.players is None else Path(settings.players).expanduser()
    folder = PlayerFolder.read(path, model)
    for problem in folder.problems:
        print_error(problem)
    bank = load_bank(model)
    classifier = Classifier(model, runtime=settings.runtime, threads=settings.threads)
    audio = _blocks(options.files, reading.settings.audio.channel, settings.gate)
    enrolment = enrol(audio, classifier, settings.gate)
    wanted = {} if like is None else {"like": None if like.casefold() == "none" else like}
    player = folder.teach(options.name, enrolment, bank, **wanted)
    sys.stdout.write(printable_report(player))
    sys.stdout.write(f"use it: soloist run --players {printable(str(path))}\n")
    return 0


def _blocks(files: Sequence[str], channel: int | None, gate: float) -> Iterator[Array]:
    """Read files one after the other, as the model hears them."""
    from stream.audio.converter import Converter
    from stream.audio.sound_file import open_sound_file

    for path in files:
        with open_sound_file(path) as file:
            converter = Converter(file.rate, file.channels, channel, gate)
            block = max(1, _BLOCK // file.channels)
            last = False
            while not last:
                frames = file.read(block)
                last = len(frames) < block
                yield converter(frames, last=last)
                converter.take_levels()  # nobody judges them here
