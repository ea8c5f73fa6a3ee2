"""Smoothing that is tuned on rows of real recordings heard once."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mir_eval", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("tqdm", reason="needs the train extra")

from stream.recognition.bundle import UNKNOWN, Bundle
from stream.recognition.smoothing import Smoothing
from train.compose.programmes import SILENCE, Interval
from train.evaluation.programme_predictions import NO_INSTRUMENT, ProgrammePredictions
from train.evaluation.row_tradeoff import tradeoff_table, tune_on_rows

HOP = 0.25


def row(bundle: Bundle, seed: int) -> ProgrammePredictions:
    """Return what a model told of flute, crowd and violin: sure of the players, half sure of a flute in the crowd."""
    rng = np.random.default_rng(seed)
    truth = (
        Interval(0, 3.5, SILENCE),
        Interval(3.5, 13, "flute"),
        Interval(13, 23, UNKNOWN),
        Interval(23, 33, "violin"),
    )
    times = 3 + HOP * np.arange(120)
    raw = np.zeros((len(times), len(bundle.instruments)))
    flute, violin = bundle.instruments.index("flute"), bundle.instruments.index("violin")
    raw[times < 13, flute] = 0.85
    raw[(times >= 13) & (times < 23), flute] = 0.45
    raw[times >= 23, violin] = 0.85
    raw += rng.uniform(0, 0.02, raw.shape)
    odd = rng.random(len(times)) < 0.1
    raw[odd] = raw[odd][:, ::-1]
    silent = times <= 3.5
    return ProgrammePredictions(truth, times, raw, silent, (NO_INSTRUMENT,) * len(times), np.ones(len(times)), truth)


def test_tuning_finds_that_the_line_up_must_be_known(published: Bundle) -> None:
    """What is half sure in a crowd is rejected by a larger sum, odd windows by a longer average."""
    today = replace(published, smoothing=Smoothing(time_constant=0.01, lead=0.0, release=1.0, floor=0.0))
    held_out, trained_on = [row(published, 0), row(published, 1)], [row(published, 2)]
    grid = {"time_constant": (0.01, 0.5), "known": (0.0, 0.6)}
    choices = tune_on_rows(today, held_out, trained_on, grid)
    best = choices[0]
    assert (best.smoothing.time_constant, best.known) == (0.5, 0.6)
    assert best.held_out.false == 0
    assert best.held_out.right / best.held_out.settled > 0.95
    assert (best.held_out.players, best.trained_on.players) == (4, 2)
    now = next(choice for choice in choices if (choice.smoothing, choice.known) == (today.smoothing, today.known))
    assert now.held_out.false > 0
    assert now.held_out.changes > best.held_out.changes
    assert now.cost > best.cost
    assert [choice.cost for choice in choices] == sorted(choice.cost for choice in choices)
    table = tradeoff_table(today, choices, shown=1).splitlines()
    assert len(table) == 4  # the head, the best, and today's
    assert "0.01 (today)" in table[3]
    json.dumps([choice.figures() for choice in choices], allow_nan=False)
