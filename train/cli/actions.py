"""All actions of ``soloist train``, and the parser of its command line."""

from __future__ import annotations

import argparse
from typing import Final

from train.cli import (
    ablation,
    bank,
    check,
    download,
    evaluate,
    examples,
    export,
    fit,
    further,
    music,
    players,
    programmes,
    render,
    report,
    search,
    study,
)

ACTIONS: Final = (
    fit,
    further,
    evaluate,
    export,
    report,
    study,
    ablation,
    search,
    examples,
    render,
    programmes,
    bank,
    players,
    download,
    music,
    check,
)
"""Modules with `add_parser` and `run`, in the order of the help."""


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line; `run_action` of what it returns is called with it."""
    whole = argparse.ArgumentParser(
        "soloist train", description="Soloist's laboratory: makes, measures and explains models."
    )
    actions = whole.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action in ACTIONS:
        action.add_parser(actions).set_defaults(run_action=action.run)
    return whole
