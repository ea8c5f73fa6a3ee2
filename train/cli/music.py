"""``soloist train music``: fetch music of free games from Debian, to learn from without labels."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.cli.options import Actions, print_now


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parser = actions.add_parser("music", help="fetch music of free games from Debian, to learn from without labels")
    parser.add_argument("folder", type=Path, help="where to; what is there stays")
    parser.add_argument("--packages", nargs="+", default=[], help="which of Debian's packages, if not those it knows")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Fetch music, and print how much there is of each package."""
    from train.datasets.game_music import PACKAGES, fetch_music  # not before: --help need not wait for soundfile

    rows = fetch_music(arguments.folder, arguments.packages or PACKAGES)
    for package in sorted({row.package for row in rows}):
        some = [row for row in rows if row.package == package]
        minutes = sum(row.seconds for row in some) / 60
        licences = ", ".join(sorted({row.licence for row in some}))
        print_now(f"{package:32} {len(some):4} files {minutes:7.1f} min  {licences}")
    print_now(f"{'all':32} {len(rows):4} files {sum(row.seconds for row in rows) / 60:7.1f} min")
