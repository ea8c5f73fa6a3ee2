"""`soloist bench`: what this machine can do, and what another installation can do on it."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any, Final

from stream.bench.figures import GROUPS, checked_groups
from stream.cli.argument_parser import comma_separated
from stream.errors import ConfigError

HELP = "measure this machine, or compare two installations on it"

_ROUNDS: Final = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is to be measured."""
    parser.add_argument("--json", action="store_true", default=False, help="one flat JSON object")
    parser.add_argument(
        "--model", metavar="NAME|PATH", help="model to measure; --against uses its own model of that NAME"
    )
    parser.add_argument("--only", type=comma_separated, metavar="A,B", help=f"only these: {', '.join(GROUPS)}")
    parser.add_argument(
        "--soak", type=float, metavar="HOURS", help="only hear this much audio, and compare labels and memory"
    )
    parser.add_argument("--lines", type=int, metavar="N", help="only measure what so many lines cost")
    parser.add_argument(
        "--against", metavar="COMMAND", help="compare in turn with another installation, such as /old/bin/soloist"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help=f"how often to run both ({_ROUNDS})")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Measure this machine, alone or in turn with another installation."""
    from stream.bench import tables

    told = vars(options)
    against, hours, model = told.get("against"), told.get("soak"), told.get("model")
    _refuse_what_is_not_together(told)
    signal.signal(signal.SIGTERM, _end)  # or what is measured would go on without us
    groups = checked_groups(told["only"]) if "only" in told else None
    if against is not None:
        from stream.bench.comparison import compare

        comparison = compare(against, told.get("rounds", _ROUNDS), groups, model, _report)
        write = tables.comparison_as_json if options.json else tables.comparison_as_table
        sys.stdout.write(write(comparison))
        return 0
    if hours is not None:
        from stream.bench.soak import soak

        figures = soak(hours, model)
    elif "lines" in told:
        from stream.bench.lines import measure_lines

        figures = measure_lines(told["lines"], model)
    else:
        from stream.bench.measurements import measure

        figures = measure(model, groups, _report)
    sys.stdout.write(tables.as_json(figures) if options.json else tables.as_table(figures))
    return 0


def _end(number: int, frame: object) -> None:
    """End as a program does that a signal ends, and with it all that it started."""
    sys.exit(128 + number)


def _refuse_what_is_not_together(told: dict[str, Any]) -> None:
    for alone in ("soak", "lines"):
        for name in ("against", "only", "soak"):
            if alone in told and name in told and name != alone:
                raise ConfigError(f"--{alone} measures nothing else; it does not go with --{name}")
    if "rounds" in told and "against" not in told:
        raise ConfigError("--rounds says how often both are run; it needs --against")


def _report(line: str) -> None:
    """Tell a person who waits what is being done."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{line} ...\n")
        sys.stderr.flush()
