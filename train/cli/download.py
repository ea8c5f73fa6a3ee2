"""``soloist train download``: download Medley-solos-DB with mirdata, and check it."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.cli import check
from train.cli.options import Actions


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parser = actions.add_parser("download", help="download Medley-solos-DB with mirdata, and check it")
    parser.add_argument("folder", type=Path, help="where to")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Download Medley-solos-DB, and check it."""
    from train.datasets.medley_files import download_medley  # not before: --help need not wait for mirdata

    download_medley(arguments.folder)
    check.run(arguments)
