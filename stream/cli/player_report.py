"""What the commands about taught players share: where these are, and what is told of one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stream.system.terminal import printable

if TYPE_CHECKING:
    from stream.players.player import TaughtPlayer


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add where taught players are, and for which model."""
    add = parser.add_argument
    add("--players", metavar="FOLDER", help="folder of taught players (~/.local/share/soloist/players)")
    add("--model", metavar="NAME|PATH", help="a model that comes with Soloist, or a .tflite beside its .json")
    add("--config", metavar="FILE", help="TOML file with settings (or SOLOIST_CONFIG)")


def printable_report(player: TaughtPlayer) -> str:
    """Say in some lines what was heard, and how well it is told apart."""
    it, name = player.reliability, printable(player.name)
    lines = [
        f"{name}: {player.enrolment.seconds:.1f} s heard; the model takes it for {_shares(it.taken_for)}",
        f"  {it.recognized} of {it.held_out} windows are recognized when they are held out",
        f"  {it.passing} of {it.strangers} windows of others are taken for it"
        + (f", most of {_shares(it.nearest)}" if it.nearest else ""),
    ]
    if player.like is not None:
        lines.append(f"  it counts as one of the model's {player.like}: others of that may be taken for it")
    doubts = it.doubts()
    lines += ["  told apart reliably"] if not doubts else [f"  not told apart reliably: {doubt}" for doubt in doubts]
    return "".join(line + "\n" for line in lines)


def _shares(shares: Mapping[str, float]) -> str:
    """Write labels with their shares, three at the most."""
    return ", ".join(f"{label} ({share:.0%})" for label, share in list(shares.items())[:3])
