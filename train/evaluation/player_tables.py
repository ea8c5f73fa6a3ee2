"""What a trial of taught names has shown, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from train.evaluation.player_trial import Count, InstrumentResult, PlayersResult


def instrument_table(results: Sequence[InstrumentResult], title: str) -> str:
    """Write a row for each instrument and source that it was taught from, and one for all of them."""
    lines = [
        f"| {title} | taught from | same source, other files | other sources | strangers | eight, before | after |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [_row(it.name, it.source, it) for it in results]
    whole = InstrumentResult("all", f"{len(results)} sources")
    for it in results:
        for name in ("same", "others", "strangers", "before", "after"):
            sums, part = getattr(whole, name), getattr(it, name)
            sums.found, sums.of = sums.found + part.found, sums.of + part.of
    return "\n".join([*lines, _row(whole.name, whole.source, whole)])


def players_table(result: PlayersResult) -> str:
    """Write who was taken for whom."""
    lines = [
        f"| {result.name}: who plays | " + " | ".join(f"named {name}" for name in result.players) + " | none of them |",
        "| --- |" + " ---: |" * (len(result.players) + 1),
    ]
    for name, row in zip([*result.players, "others of that label"], result.heard_as.tolist(), strict=True):
        lines.append(f"| {name} | " + " | ".join(map(str, row)) + " |")
    taught = result.heard_as[:-1]
    right = Count(int(taught.trace()), int(taught.sum()))
    return "\n".join([*lines, "", f"Right: {right}. Strangers named as one of them: {result.strangers}."])


def _row(name: str, source: str, it: InstrumentResult) -> str:
    counts = (it.same, it.others, it.strangers, it.before, it.after)
    return f"| {name} | {source} | " + " | ".join(map(str, counts)) + " |"
