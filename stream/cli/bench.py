"""`soloist bench`: measure this machine, or compare with another installation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from stream.bench.figures import GROUPS
from stream.errors import ConfigError

if TYPE_CHECKING:
    import argparse

_ROUNDS: Final = 3


def add_arguments(bench: argparse.ArgumentParser) -> None:
    """Add what can be asked for."""
    bench.add_argument("--json", action="store_true", default=False, help="one flat JSON object")
    bench.add_argument("--model", metavar="NAME|PATH", help="model to measure; of a NAME --against has its own")
    bench.add_argument("--only", type=_names, metavar="A,B", help=f"only these: {', '.join(GROUPS)}")
    bench.add_argument("--soak", type=float, metavar="HOURS", help="hear this much audio, and nothing else")
    bench.add_argument(
        "--against", metavar="COMMAND", help="compare with another installation, as /old/bin/soloist, run in turn"
    )
    bench.add_argument("--rounds", type=int, metavar="N", help=f"how often both are run ({_ROUNDS})")


def measure(options: argparse.Namespace) -> int:
    """Measure this machine, alone or in turn with another installation."""
    from stream.bench import tables
    from stream.bench.figures import checked_groups

    told = vars(options)
    against, soak, model = told.get("against"), told.get("soak"), told.get("model")
    _refuse_what_is_not_together(told)
    groups = checked_groups(told["only"]) if "only" in told else None
    if against is not None:
        from stream.bench.comparison import compare

        comparison = compare(against, told.get("rounds", _ROUNDS), groups, model, _report)
        as_text = tables.comparison_as_json if options.json else tables.comparison_as_table
        sys.stdout.write(as_text(comparison))
        return 0
    if soak is not None:
        from stream.bench.soak import soak as measured_soak

        figures = measured_soak(soak, model)
    else:
        from stream.bench.measurements import measure

        figures = measure(model, groups, _report)
    sys.stdout.write(tables.as_json(figures) if options.json else tables.as_table(figures))
    return 0


def _refuse_what_is_not_together(told: dict[str, Any]) -> None:
    if "soak" in told:
        for name in ("against", "only"):
            if name in told:
                raise ConfigError(f"--soak measures nothing else; it does not go with --{name}")
    if "rounds" in told and "against" not in told:
        raise ConfigError("--rounds says how often both are run; it needs --against")


def _report(line: str) -> None:
    """Tell a person who waits what is being done."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{line} ...\n")
        sys.stderr.flush()


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
