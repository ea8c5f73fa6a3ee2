"""Scores of what was heard of rows of real recordings."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from train.compose.programmes import SILENCE, Interval
from train.evaluation.programme_evaluation import (
    changes_beyond,
    naming_delays,
    stretch_at,
    told_stretches,
    true_stretches,
)
from train.evaluation.programme_predictions import NO_INSTRUMENT, ProgrammePredictions
from train.evaluation.row_result import SETTLED, OfNone, OfPlayers, RowResult


def score_rows(name: str, rows: Sequence[ProgrammePredictions]) -> RowResult:
    """Score what was heard of rows.

    Parameters
    ----------
    name : str
        What the rows are.
    rows : sequence of ProgrammePredictions
        At least one. What is none of the names is told apart by their `sounds`, where they have them.

    Returns
    -------
    RowResult
    """
    seconds = 0.0
    changes = false = 0
    delays: list[float] = []
    players: dict[str, list[OfPlayers]] = defaultdict(list)
    none: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for row in rows:
        truth, told = true_stretches(row), told_stretches(row)
        seconds += told[-1].end - told[0].start
        changes += changes_beyond(truth, told)
        false += _false_names(row, truth, told)
        delays += naming_delays(truth, told)
        for label, found in _of_players(truth, told):
            players[label].append(found)
        for sound in row.sounds or row.truth:
            at = truth[stretch_at(truth, max(sound.start, truth[0].start))]
            if sound.label != SILENCE and at.label == NO_INSTRUMENT and sound.end > truth[0].start:
                none[sound.label] += [(_overlap(sound, stretch), stretch.label) for stretch in told]
    return RowResult(
        name=name,
        rows=len(rows),
        seconds=seconds,
        delays=tuple(sorted(delays)),
        changes=changes,
        false=false,
        by_player=tuple((label, _summed(found)) for label, found in sorted(players.items())),
        by_none=tuple((kind, _of_none(found)) for kind, found in sorted(none.items())),
    )


def _of_players(truth: list[Interval], told: list[Interval]) -> list[tuple[str, OfPlayers]]:
    """Score every player but one that plays from the beginning."""
    found = []
    for true in truth[1:]:
        if true.label != NO_INSTRUMENT:
            right = [stretch for stretch in told if stretch.label == true.label]
            settled = Interval(min(true.start + SETTLED, true.end), true.end, true.label)
            named = any(_overlap(true, stretch) > 0 for stretch in right)
            seconds = sum(_overlap(settled, stretch) for stretch in right)
            found.append((true.label, OfPlayers(1, int(not named), settled.end - settled.start, seconds)))
    return found


def _false_names(row: ProgrammePredictions, truth: list[Interval], told: list[Interval]) -> int:
    """Count changes to a name while what sounds is none of them, but for that of the player just before."""
    false = 0
    for stretch in told[1:]:
        at = stretch_at(truth, stretch.start)
        late = at > 0 and truth[at - 1].label == stretch.label
        if stretch.label != NO_INSTRUMENT == truth[at].label and not late:
            false += row.truth[stretch_at(list(row.truth), stretch.start)].label != SILENCE
    return false


def _of_none(found: list[tuple[float, str]]) -> OfNone:
    names: Counter[str] = Counter()
    for seconds, label in found:
        names[label] += seconds  # type: ignore[assignment]  # seconds are counted as well as anything
    seconds = math.fsum(names.values())
    named = [(label, float(count)) for label, count in names.most_common() if label != NO_INSTRUMENT and count > 0]
    return OfNone(seconds, math.fsum(count for _, count in named), tuple(named))


def _summed(found: list[OfPlayers]) -> OfPlayers:
    return OfPlayers(
        sum(one.players for one in found),
        sum(one.never for one in found),
        math.fsum(one.settled for one in found),
        math.fsum(one.right for one in found),
    )


def _overlap(one: Interval, other: Interval) -> float:
    return max(0.0, min(one.end, other.end) - max(one.start, other.start))
