"""`soloist players`: who was taught."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stream.cli.argument_parser import add_action
from stream.cli.player_report import add_folder, printable_report
from stream.cli.settings_flags import sources
from stream.system.terminal import print_error, printable

if TYPE_CHECKING:
    from stream.players.bank import Bank
    from stream.players.folder import PlayerFolder

HELP = "list, rename, remove, export and import names that were taught"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which folder it is, and what can be done with a name."""
    add_folder(parser)
    parser.set_defaults(execute=list_players)
    actions = parser.add_subparsers(metavar="ACTION")
    renamed = add_action(actions, "rename", "give one another name", rename_player)
    renamed.add_argument("name", metavar="NAME")
    renamed.add_argument("new", metavar="NEW", help="the other name")
    removed = add_action(actions, "remove", "forget one", remove_player)
    removed.add_argument("name", metavar="NAME")
    exported = add_action(actions, "export", "write one to a file, for another machine with this model", export_player)
    exported.add_argument("name", metavar="NAME")
    exported.add_argument("-o", "--output", metavar="FILE", required=True, help="the file, which is written over")
    imported = add_action(actions, "import", "take in what export has written", import_player)
    imported.add_argument("file", metavar="FILE")
    for action in (renamed, removed, exported, imported):
        add_folder(action)


def list_players(options: argparse.Namespace) -> int:
    """Tell who is taught, and how well each is told apart."""
    folder = _folder(options)
    for player in folder.players:
        sys.stdout.write(printable_report(player))
    if not folder.players:
        sys.stdout.write(f"nobody is taught in {printable(str(folder.path))}\n")
    return 0


def rename_player(options: argparse.Namespace) -> int:
    """Give a player another name."""
    player = _folder(options).rename(options.name, options.new)
    sys.stdout.write(f"{printable(options.name)} is now called {printable(player.name)}\n")
    return 0


def remove_player(options: argparse.Namespace) -> int:
    """Forget a player."""
    folder = _folder(options)
    folder.remove(options.name, _bank(folder))
    sys.stdout.write(f"{printable(options.name)} is forgotten\n")
    return 0


def export_player(options: argparse.Namespace) -> int:
    """Write a player to a file."""
    from stream.errors import TeachError
    from stream.players.player import write_player
    from stream.system.files import write_whole

    try:
        write_whole(Path(options.output), write_player(_folder(options)[options.name]))
    except OSError as error:
        raise TeachError(f"cannot write {options.output}: {error.strerror}") from error
    return 0


def import_player(options: argparse.Namespace) -> int:
    """Take in a player that another machine has exported."""
    from stream.errors import TeachError
    from stream.players.folder import read_file

    folder = _folder(options)
    content = read_file(Path(options.file))
    try:
        player = folder.add(content, _bank(folder))
    except TeachError as error:
        raise TeachError(f"{options.file}: {error}") from error
    sys.stdout.write(printable_report(player))
    return 0


def _folder(options: argparse.Namespace) -> PlayerFolder:
    """Read the folder of a flag or the settings, or the user's own; tell what cannot be used of it."""
    import os

    from stream.players.folder import PlayerFolder, default_folder
    from stream.recognition import bundle
    from stream.settings.reading import read, refuse

    reading = read(*sources(options, input="-"))
    refuse(reading.problems)
    settings = reading.settings.recognition
    path = default_folder(os.environ) if settings.players is None else Path(settings.players).expanduser()
    folder = PlayerFolder.read(path, bundle.load(settings.model))
    for problem in folder.problems:
        print_error(problem)
    return folder


def _bank(folder: PlayerFolder) -> Bank | None:
    """Return what to fit against; None, and say so, where the model has no bank."""
    from stream.errors import ModelError
    from stream.players.bank import load_bank

    try:
        return load_bank(folder.bundle)
    except ModelError as error:
        print_error(f"{error}; the names are not fitted to each other anew")
        return None
