"""Figures as a table for people, and as one flat JSON object for programs."""

from __future__ import annotations

import json
from typing import Final

from stream.bench.comparison import ComparedFigure, Comparison
from stream.bench.figures import FIGURES, Figures
from stream.system.terminal import printable

_NONE: Final = "-"


def as_json(figures: Figures) -> str:
    """Write figures under their keys."""
    return json.dumps({key: _rounded(value) for key, value in figures.items()}) + "\n"


def as_table(figures: Figures) -> str:
    """Write figures beside their targets."""
    lines = []
    for key, value in figures.items():
        figure = FIGURES[key]
        sign = "<=" if figure.better == "lower" else ">="
        wanted = f"{sign} {figure.target:g} {figure.unit}"
        if value is None:
            shown, verdict = _NONE, "not measured"
        else:
            missed = "shorter" if key == "soak_hours" else "MISSED"  # as long as whoever measures wants it
            shown, verdict = f"{value:.2f}", "met" if figure.is_met(value) else missed
        lines.append(f"{key:<20}{shown:>10} {figure.unit:<3} {wanted:<12} {verdict:<13} {figure.what}\n")
    return "".join(lines)


def comparison_as_json(comparison: Comparison) -> str:
    """Write the figures of two installations.

    For each KEY of a figure there are KEY_ours and KEY_theirs (medians over the rounds), KEY_ratio, KEY_ratio_min and
    KEY_ratio_max (ours divided by theirs in the same round: median, lowest, highest) and KEY_verdict ("better",
    "equal", "worse"). What is not known is null. Beside them are `rounds`, and what both say that they are: `ours`,
    `theirs`.
    """
    written: dict[str, str | float | None] = {
        "ours": comparison.ours,
        "theirs": comparison.theirs,
        "rounds": comparison.rounds,
    }
    for key, figure in comparison.figures.items():
        written |= {
            f"{key}_ours": _rounded(figure.ours),
            f"{key}_theirs": _rounded(figure.theirs),
            f"{key}_ratio": _rounded(figure.ratio),
            f"{key}_ratio_min": _rounded(min(figure.ratios, default=None)),
            f"{key}_ratio_max": _rounded(max(figure.ratios, default=None)),
            f"{key}_verdict": figure.verdict,
        }
    return json.dumps(written) + "\n"


def comparison_as_table(comparison: Comparison) -> str:
    """Write the figures of two installations beside each other."""
    lines = [
        f"ours    {comparison.ours}, this installation\n",
        f"theirs  {comparison.theirs}, {printable(comparison.against)}\n",
        f"rounds  {comparison.rounds}, of which these are medians\n\n",
        f"{'':<16}{'ours':>9}{'theirs':>9}     {'ratio':>6} {'(min - max)':<15}{'ours is':<14}\n",
    ]
    for key, figure in comparison.figures.items():
        known = FIGURES.get(key)
        unit, what = (known.unit, known.what) if known else ("", "")
        ratio = _NONE if figure.ratio is None else f"{figure.ratio:.2f}"
        spread = f"({min(figure.ratios):.2f} - {max(figure.ratios):.2f})" if len(figure.ratios) > 1 else ""
        lines.append(
            f"{key:<16}{_shown(figure.ours):>9}{_shown(figure.theirs):>9} {unit:<3} {ratio:>6} {spread:<15}"
            f"{_verdict(figure):<14}{what}\n"
        )
    lines.append(
        "\nratio: ours / theirs, in the same round. equal: they do not tell the difference from noise (95 %\n"
        "confidence), or it is less than 1 %.\n"
    )
    return "".join(lines)


def _verdict(figure: ComparedFigure) -> str:
    """Say how ours is, or why nobody can."""
    if figure.ours is None and figure.theirs is None:
        return "not measured"
    if figure.ours is None or figure.theirs is None:
        return "only theirs" if figure.ours is None else "only ours"
    return figure.verdict or "one round"


def _shown(value: float | None) -> str:
    """Write a value with three digits or four, whatever its size."""
    if value is None:
        return _NONE
    return f"{value:.{3 if abs(value) < 1 else 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
