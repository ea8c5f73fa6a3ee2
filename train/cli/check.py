"""``soloist train check``: compare a copy of Medley-solos-DB with the published checksums."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stream.errors import ConfigError
from train.cli.options import Actions, print_now


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parser = actions.add_parser("check", help="compare a copy of Medley-solos-DB with the published checksums")
    parser.add_argument("folder", type=Path, help="where it is")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Compare a copy of Medley-solos-DB with the published checksums, and name what differs."""
    from train.datasets.medley_files import verify_checksums  # not before: --help need not wait for mirdata

    found = verify_checksums(arguments.folder)
    for path in (*found.missing, *found.corrupt):
        sys.stderr.write(f"{'missing' if path in found.missing else 'corrupt'}: {path}\n")
    if found.missing or found.corrupt:
        raise ConfigError(f"{arguments.folder}: {found}")
    print_now(str(found))
