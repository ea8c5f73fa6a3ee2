"""``soloist train players``: measure how well names are taught."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.cli.options import Actions, print_now, running_arguments


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parser = actions.add_parser("players", parents=[running_arguments()], help="measure how well names are taught")
    parser.add_argument("--data", type=Path, required=True, help="the pack: a folder with training.csv")
    parser.add_argument("--model", required=True, help="a model that ships, or a .tflite, with its bank beside it")
    parser.add_argument(
        "--unheard", action="store_true", help="also twelve instruments that are no labels, from two sound fonts"
    )
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Teach instruments and players, and look for them in other recordings."""
    from stream.players.bank import load_bank
    from stream.recognition.bundle import load
    from train.compose.unheard import render_unheard
    from train.evaluation.player_tables import instrument_table, players_table
    from train.evaluation.player_trial import Listener, PlayerTrial

    bundle = load(arguments.model)
    trial = PlayerTrial(Listener(bundle, load_bank(bundle)), arguments.data)
    print_now(instrument_table(trial.try_instruments(), "instrument, from 10 s"))
    for result in trial.try_players():
        print_now("\n" + players_table(result))
    if arguments.unheard:
        print_now("\n" + instrument_table(trial.try_unheard(render_unheard(arguments.cache)), "unheard, from 10 s"))
