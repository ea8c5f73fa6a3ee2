"""``soloist train programmes``: measure delay and flicker of a bundle on continuous programmes."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream.errors import ConfigError
from stream.recognition.bundle import load
from stream.system.stderr import quiet_stderr
from train.cli.options import Actions, at_least, print_now, running_arguments

if TYPE_CHECKING:
    from stream.recognition.bundle import Bundle

_ASIDE: Final = 1000  # first number of the programmes that smoothing is chosen on: others than those it is judged by


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parser = actions.add_parser(
        "programmes",
        parents=[running_arguments()],
        help="measure delay and flicker of a bundle on continuous programmes",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="the pack to compose of, with its validation.csv")
    add("--model", required=True, help="name of a shipped model, or path of a .tflite or .json")
    add("--programmes", type=int, default=40, help="to compose, 70 s each (default: %(default)s)")
    add("--solos", type=int, default=32, help="minutes of one player (default: %(default)s)")
    add("--seed", type=int, default=0, help="of what is composed (default: %(default)s)")
    add("--no-programmes", action="store_true", help="compose none: with --real, only real recordings in a row")
    add(
        "--real",
        nargs="?",
        const="all",
        choices=("all", "held-out", "validation"),
        help="also real recordings in a row: of held-out sources and songs, and the clips of validation.csv, which is "
        "a look at them, and logged; both by default",
    )
    add("--rows", type=int, default=24, help="of held-out recordings, 80 s each (default: %(default)s)")
    add(
        "--tune",
        action="store_true",
        help="instead, on other programmes, what each way of smoothing would cost; with --real held-out, on rows of "
        "real recordings",
    )
    add("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Print how a bundle follows continuous programmes, or what smoothing otherwise would cost."""
    at_least(arguments, 1, "programmes", "solos", "processes", "rows")
    if arguments.tune and arguments.real in ("all", "validation"):
        raise ConfigError("nothing is chosen on the validation clips: --tune --real held-out")
    if arguments.no_programmes and not arguments.real:
        raise ConfigError("--no-programmes leaves nothing to hear without --real")
    bundle = load(arguments.model)
    record = _tune(bundle, arguments) if arguments.tune else _measure(bundle, arguments)
    if arguments.json:
        from train.atomic_file import write_atomically

        write_atomically(arguments.json, (json.dumps(record, indent=1) + "\n").encode())


def _tune(bundle: Bundle, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Print what each way of smoothing would cost."""
    with quiet_stderr():  # not before: --help need not wait for TensorFlow and what composes programmes
        from train.compose.composed_programmes import ComposedProgrammes
        from train.compose.real_rows import RealRows
        from train.evaluation import row_tradeoff, smoothing_tradeoff
        from train.evaluation.heard_rows import hear_rows
        from train.evaluation.lineups import lineup_of
        from train.evaluation.programme_predictions import predict_programmes
        from train.evaluation.real_clips import original_pack
    if arguments.real:
        pack = original_pack(arguments.data)
        held_out, trained_on = (
            hear_rows(
                bundle, RealRows(pack, side, lineup_of(bundle)), arguments.rows, arguments.processes, arguments.cache
            )
            for side in ("held out", "trained on")
        )
        tuned = row_tradeoff.tune_on_rows(bundle, held_out, trained_on)
        print_now(row_tradeoff.tradeoff_table(bundle, tuned))
        print_now(f'\n"smoothing": {json.dumps(asdict(tuned[0].smoothing))}, "known": {tuned[0].known:g}')
        return [choice.figures() for choice in tuned]
    composed = ComposedProgrammes(arguments.data, arguments.cache, arguments.seed)
    counts = arguments.programmes, arguments.solos
    heard = predict_programmes(bundle, composed, *counts, arguments.processes, first=_ASIDE)
    choices = smoothing_tradeoff.compare_smoothings(bundle, *heard)
    print_now(smoothing_tradeoff.smoothing_table(choices))
    return [choice.figures() for choice in choices]


def _measure(bundle: Bundle, arguments: argparse.Namespace) -> dict[str, Any]:
    """Print how a bundle follows programmes and rows."""
    with quiet_stderr():
        from train.compose.composed_programmes import ComposedProgrammes
        from train.evaluation.programme_evaluation import evaluate_programmes
        from train.evaluation.programme_result import programme_table
        from train.evaluation.real_evaluation import evaluate_held_out, evaluate_validation
        from train.evaluation.row_result import ROWS_EXPLAINED, detail_table, row_table
    timings, rows, remarks = [], [], []
    if not arguments.no_programmes:
        composed = ComposedProgrammes(arguments.data, arguments.cache, arguments.seed)
        counts = arguments.programmes, arguments.solos
        timings.append(evaluate_programmes("composed", bundle, composed, *counts, arguments.processes))
    if arguments.real in ("all", "validation"):
        timing, row, remark = evaluate_validation(bundle, arguments.data, arguments.cache, arguments.processes)
        timings.append(timing)
        rows.append(row)
        remarks.append(remark)
    if arguments.real in ("all", "held-out"):
        timing, row, remark = evaluate_held_out(
            bundle, arguments.data, arguments.cache, arguments.rows, arguments.processes
        )
        timings.append(timing)
        rows.append(row)
        remarks.append(remark)
    parts = [programme_table(timings)]
    if rows:
        parts += [row_table(rows), ROWS_EXPLAINED, *(f"{row.name}\n\n{detail_table(row)}" for row in rows), *remarks]
    print_now("\n\n".join(part for part in parts if part))
    return {
        **{timing.name: timing.figures() for timing in timings},
        **({"rows": {row.name: row.figures() for row in rows}} if rows else {}),
    }
