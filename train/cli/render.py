"""``soloist train render``: make a pack of another one and of notes rendered with FluidSynth."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.cli.options import Actions, print_now


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parser = actions.add_parser("render", help="make a pack of another one and of notes rendered with FluidSynth")
    add = parser.add_argument
    add("--data", type=Path, required=True, help="the pack, which stays as it is")
    add("--out", type=Path, required=True, help="folder for the new pack; what is there is kept")
    add("--soundfont", type=Path, nargs="+", default=[], help="their files, if not those of Debian")
    add("--beyond", action="store_true", help="render what the instruments beyond the eight lack, too")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Render notes for a pack's thin instruments, and print how many of each."""
    from train.compose import rendered_notes, sound_fonts  # not before: --help need not wait for their libraries

    for rendered in rendered_notes.render_pack(
        arguments.data, arguments.out, sound_fonts.find_fonts(arguments.soundfont, beyond=arguments.beyond)
    ):
        print_now(str(rendered))
    print_now(rendered_notes.summarise_pack(arguments.out))
