"""``soloist train bank``: make the bank of a model, which names are taught against."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.cli.options import Actions, at_least, print_now, running_arguments


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parser = actions.add_parser(
        "bank", parents=[running_arguments()], help="make the bank of a model, which names are taught against"
    )
    parser.add_argument("--data", type=Path, required=True, help="the pack: a folder with training.csv")
    parser.add_argument("--model", required=True, help="a model that ships, or a .tflite")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument(
        "--composed", type=int, default=1600, help="windows with a band or noise besides (default: %(default)s)"
    )
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Let the model hear windows of all players, and write what it says of them."""
    from collections import Counter

    from stream.players.bank import ENDING
    from train.atomic_file import write_atomically
    from train.evaluation.player_bank import BankWindows, make_bank

    at_least(arguments, 1, "processes")
    at_least(arguments, 0, "composed")
    windows = BankWindows(arguments.data, arguments.cache, arguments.model, arguments.composed)
    bank = make_bank(windows, arguments.processes)
    path = arguments.out / f"{Path(arguments.model).stem}{ENDING}"
    content = bank.packed()
    write_atomically(path, content)
    counts = Counter(bank.labels)
    print_now(f"{path}: {len(bank)} windows of {len(set(bank.sources))} sources, {len(content) / 1000:.0f} kB")
    print_now(", ".join(f"{label} {count}" for label, count in sorted(counts.items())))
