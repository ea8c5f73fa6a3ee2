"""Rows of real recordings: who plays in them, what is told of them, and the figures of that."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mir_eval", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("tqdm", reason="needs the train extra")

from stream.errors import ConfigError
from stream.recognition.bundle import UNKNOWN, Bundle
from stream.recognition.mel import SAMPLE_RATE
from tests.support.synthetic_pack import write_pack, write_songs
from train.compose.programmes import SILENCE, Interval
from train.compose.real_recordings import RENDERED, RealPlayer, Take, real_players
from train.compose.real_rows import RealRows
from train.compose.songs import HELD_OUT_SONGS
from train.datasets.labels import INSTRUMENTS
from train.evaluation.heard_rows import hear_rows
from train.evaluation.programme_predictions import NO_INSTRUMENT, ProgrammePredictions
from train.evaluation.row_evaluation import score_rows
from train.evaluation.row_result import detail_table, row_table


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of chords, clicks and songs."""
    folder = tmp_path_factory.mktemp("pack")
    write_pack(folder)
    write_songs(folder)
    return folder


def test_players_are_real_and_on_one_side(pack: Path) -> None:
    """Renderings, guesses and what is trained on are not among the held-out players; the sides share nobody."""
    held_out, others = (
        {(who.label, who.source) for who in real_players(pack, side)} for side in ("held out", "trained on")
    )
    assert {("synthesizer", "ev3:7.Francium"), ("accordion", "gcompris:accordion")} <= held_out
    assert ("male singer", "joshua_morin:On_the_run") in others
    assert not held_out & others
    assert not {source for _, source in held_out | others} & RENDERED
    assert all(source in HELD_OUT_SONGS for _, source in held_out if ":" in source)
    assert not any("0ad" in source for _, source in held_out | others)


def test_row_has_everybody_once_and_others_between(pack: Path) -> None:
    """In every row each class that has players plays once; what else sounds is unknown, and has its name besides."""
    rows = RealRows(pack)
    row = rows.programme(3)
    played = [true.label for true in row.truth if true.label in INSTRUMENTS]
    assert sorted(played) == sorted(rows.players)
    assert {true.label for true in row.truth} - set(INSTRUMENTS) <= {UNKNOWN, SILENCE}
    sounds = {sound.label for sound in row.sounds}
    assert sounds - set(INSTRUMENTS) - {SILENCE} <= {"synthesizer", "accordion", "drums"}
    assert len(sounds - set(INSTRUMENTS) - {SILENCE}) >= 2
    assert row.truth[-1].end == pytest.approx(len(row.audio) / SAMPLE_RATE)
    for one, other in itertools.pairwise(row.truth):
        assert one.end == other.start
        assert one.label != other.label
    np.testing.assert_array_equal(row.audio, RealRows(pack).programme(3).audio)
    assert np.abs(row.audio).max() <= 1


def test_names_can_be_other_classes(pack: Path) -> None:
    """Whatever is to be named is a player; rows of a side without two of them are refused in one line."""
    rows = RealRows(pack, named=("synthesizer", "accordion"))
    assert list(rows.players) == ["synthesizer", "accordion"]
    assert {"synthesizer", "accordion", UNKNOWN} <= {true.label for true in rows.programme(0).truth}
    with pytest.raises(ConfigError, match="has real recordings, held out, of none of the names; rows need two or more"):
        RealRows(pack, named=("cello", "organ"))


def test_who_has_more_plays_more_often(pack: Path) -> None:
    """Of two players one of whom has nine times as much, he plays three times as often."""
    from train.compose.real_rows import _take_turn

    players = [RealPlayer("flute", who, "", (Take("", seconds, None),)) for who, seconds in (("a", 10.0), ("b", 90.0))]
    turns = Counter(_take_turn(players, turn).source for turn in range(40))
    assert turns == {"a": 10, "b": 30}


def test_what_was_heard_is_kept_for_the_same_model_alone(pack: Path, tmp_path: Path, published: Bundle) -> None:
    """A second time nothing is heard again; other thresholds, seeds and sides are other rows."""
    rows = RealRows(pack, named=("clarinet", "piano"))
    (first,) = hear_rows(published, rows, 1, 1, tmp_path)
    (kept,) = (tmp_path / "heard").iterdir()
    written = kept.stat().st_mtime_ns
    (again,) = hear_rows(published, rows, 1, 1, tmp_path)
    assert kept.stat().st_mtime_ns == written
    assert (again.names, again.truth, again.sounds) == (first.names, first.truth, first.sounds)
    np.testing.assert_array_equal(again.raw, first.raw)
    assert len(again.sounds) >= len(again.truth) > 2
    changed = replace(published, info={**published.info, "calibration": {}})
    hear_rows(changed, rows, 1, 1, tmp_path)
    assert len(list((tmp_path / "heard").iterdir())) == 2


def heard(names: list[str], sounds: list[tuple[float, str]]) -> ProgrammePredictions:
    """Return what was told every half second from 1 s on, of stretches given by their ends."""
    starts = [0.0, *(end for end, _ in sounds)]
    stretches = [Interval(start, end, label) for start, (end, label) in zip(starts, sounds, strict=False)]
    truth = [replace(sound, label=UNKNOWN if sound.label in {"cello", "crowd"} else sound.label) for sound in stretches]
    return ProgrammePredictions(
        tuple(truth),
        1.0 + 0.5 * np.arange(len(names)),
        np.zeros((len(names), 2)),
        np.zeros(len(names), bool),
        tuple(names),
        np.ones(len(names)),
        tuple(stretches),
    )


N, F, V = NO_INSTRUMENT, "flute", "violin"
SOUNDS = [(1.5, SILENCE), (5.0, F), (8.0, "cello"), (9.0, "crowd"), (12.0, V), (13.0, SILENCE)]
#       1  1.5  2  2.5  3  3.5  4  4.5  5  5.5  6  6.5  7  7.5  8  8.5  9 9.5 10 10.5 11 11.5 12 12.5
TOLD = [N, N, F, F, F, N, F, F, F, F, V, V, N, V, V, N, N, N, N, N, N, N, V, N]


def test_figures_of_rows_are_counted_by_what_sounds() -> None:
    """Right from 2 s on, delays, players never named, changes of mind, and false names by what sounds."""
    result = score_rows("made up", [heard(TOLD, SOUNDS)])
    assert (result.players, result.never) == (2, 1)
    assert result.delays == (0.5, math.inf)
    assert result.delay(0.9) == math.inf
    # The flute's from 3.5 to 5 s, of which half a second is silent; the violin's from 11 to 12 s, never.
    assert (result.settled, result.right) == (2.5, 1.0)
    # The flute is late in the cello's first second; violin twice while the cello plays.
    assert result.false == 2
    assert result.none == 4.0
    by_none = dict(result.by_none)
    assert by_none["cello"].named == 2.5
    assert by_none["cello"].names == ((V, 1.5), (F, 1.0))
    assert by_none["crowd"].named == 0.5
    # All told but the first flute, and the first nobody after each of the players.
    assert result.changes == 9 - 3
    figures = result.figures()
    assert figures["p90_delay"] is None
    assert figures["right_after_2_s"] == 0.4
    assert figures["false_names_per_minute"] == 30.0
    assert figures["by_player"][V] == {"players": 1, "never_named": 1, "seconds": 1.0, "right_after_2_s": 0.0}
    table = row_table([result])
    assert "| right 2 s after a change on | 40.0 % |" in table
    assert "| never named | 1 of 2 |" in table
    assert "| cello | 3 | 83.3 % | violin 50.0 %, flute 33.3 % |" in detail_table(result)
