"""How `soloist bench --soak` is asked for, and what is said of it."""

from __future__ import annotations

import json

import pytest

from stream.bench.tables import as_table
from tests.support.processes import soloist


@pytest.mark.parametrize("hours", ["nan", "-1", "0", "inf"])
async def test_a_soak_has_a_length(hours: str) -> None:
    """What is no length is refused in a line."""
    shown = f"soloist: --soak is {float(hours):g}; expected hours, more than 0\n"
    assert await soloist("bench", f"--soak={hours}") == (2, "", shown)


async def test_a_short_soak_misses_nothing() -> None:
    """Few hours are no fault of the machine: the table calls them shorter, and what they took is judged."""
    status, out, err = await soloist("bench", "--soak", "0.001", "--json")
    assert (status, err) == (0, "")
    figures = json.loads(out)
    assert 0.05 < figures["soak_hours"] < 0.1  # three rounds of the demo
    hours, growth = as_table(figures | {"soak_rss_growth_mb": 2.0}).splitlines()
    assert " shorter " in hours
    assert "MISSED" in growth
    assert " met " in as_table({"soak_hours": 24.0})
