"""What the recognizer tells of continuous programmes, the scores of that, and what smoothing would cost."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

pytest.importorskip("mir_eval", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("tqdm", reason="needs the train extra")

from stream.recognition import bundle as bundles
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from stream.recognition.smoothing import Smoother, Smoothing
from tests.support.tone_dataset import ToneDataset
from train.compose.clip_programmes import ClipProgrammes
from train.compose.composed_programmes import ComposedProgrammes
from train.compose.programmes import SILENCE, Interval
from train.evaluation.programme_evaluation import score_programmes
from train.evaluation.programme_predictions import (
    NO_INSTRUMENT,
    ProgrammePredictions,
    predict_programme,
    predict_programmes,
    smooth_again,
)
from train.evaluation.programme_result import ProgrammeResult, SteadySolos, programme_table
from train.evaluation.smoothing_tradeoff import SmoothingResult, compare_smoothings
from train.evaluation.smoothing_tradeoff import smoothing_table as choices_table


def test_predictions_are_what_the_recognizer_tells(
    programmes_of_pack: ComposedProgrammes, published: bundles.Bundle
) -> None:
    """From the first full window on every hop has a name, and smoothing the raw once more gives the same ones."""
    programme = programmes_of_pack.programme(1)
    heard = predict_programme(published, programme)
    assert heard.times[0] == pytest.approx(WINDOW / SAMPLE_RATE)
    assert len(heard.times) == len(heard.names) == len(heard.raw) == len(heard.silent) == len(heard.confidences)
    assert set(heard.names) <= {NO_INSTRUMENT, *published.instruments}
    again = smooth_again(heard, published.instruments, Smoother(published.thresholds))
    assert again.names == heard.names
    np.testing.assert_allclose(again.confidences, heard.confidences, atol=1e-12)


@pytest.mark.slow
def test_several_processes_hear_the_same(published: bundles.Bundle) -> None:
    """However many processes listen, what they heard comes in the order of the numbers."""
    in_a_row = ClipProgrammes(ToneDataset(), tuple(clip for clip in ToneDataset().clips if clip.split == "test"))
    alone, together = (predict_programmes(published, in_a_row, 3, 1, processes, first=5) for processes in (1, 2))
    for one, two in zip(itertools.chain(*alone), itertools.chain(*together), strict=True):
        assert one.truth == two.truth
        assert len(one.names) == len(one.times)
        assert one.names == two.names
        np.testing.assert_array_equal(one.raw, two.raw)


def heard(names: list[str], truth: list[tuple[float, str]], confidence: float = 1.0) -> ProgrammePredictions:
    """Return what was told every half second from 1 s on, of stretches given by their ends."""
    starts = [0.0, *(end for end, _ in truth)]
    return ProgrammePredictions(
        tuple(Interval(start, end, label) for start, (end, label) in zip(starts, truth, strict=False)),
        1.0 + 0.5 * np.arange(len(names)),
        np.zeros((len(names), 2)),
        np.zeros(len(names), bool),
        tuple(names),
        np.full(len(names), confidence),
    )


TRUTH = [(2.0, SILENCE), (5.0, "flute"), (6.0, "unknown"), (9.0, "violin"), (11.0, "piano"), (12.0, SILENCE)]
N, F, V, P = NO_INSTRUMENT, "flute", "violin", "piano"
#       1  1.5  2  2.5  3  3.5  4  4.5  5  5.5  6  6.5  7  7.5  8  8.5  9  9.5 10 10.5 11 11.5
TOLD = [N, N, N, N, F, F, N, F, F, P, P, V, V, V, V, V, V, V, V, N, N, N]


@pytest.fixture(scope="module")
def timing() -> ProgrammeResult:
    """The score of what was told above."""
    return score_programmes("made up", [heard(TOLD, TRUTH, 0.5)])


def test_delays_are_from_the_true_onset(timing: ProgrammeResult) -> None:
    """Flute is named after 1 s, violin after 0.5 s, piano never."""
    assert timing.delays == (0.5, 1.0, math.inf)
    assert (timing.onsets, timing.missed) == (3, 1)
    assert timing.delay(0.5) == 1.0
    assert timing.delay(0.9) == math.inf
    assert timing.delay(0.5, missed=False) == 0.5
    assert timing.delay(0.9, missed=False) == 1.0
    figures = timing.figures()
    assert figures["median_delay"] == 1.0
    assert figures["p90_delay"] is None
    json.dumps(figures, allow_nan=False)


def test_changes_beyond_the_true_ones_are_counted(timing: ProgrammeResult) -> None:
    """Of six changes, three are the first to the right label: to flute, to violin, to nobody at the end."""
    # To flute; to nobody and to flute again; to piano; to violin; to nobody, in piano's stretch.
    assert timing.told == 6
    assert timing.beyond == 4
    assert timing.figures()["changes_beyond_per_minute"] == pytest.approx(60 * 4 / 11, abs=1e-4)


def test_false_labels_are_those_of_who_does_not_play(timing: ProgrammeResult) -> None:
    """Piano is named while nobody plays; violin comes only when it does; the flute held for 0.5 s is not false."""
    assert timing.false == 1
    assert timing.nobody == 3.0  # 1 s of silence after the first window, unknown, and the end
    assert timing.named == 1.0  # flute until 5.5 s, piano until 6 s
    late = score_programmes("late", [heard([N, N, F, F], [(1.5, N), (1.9, "flute"), (3.0, SILENCE)])])
    assert (late.false, late.beyond, late.missed) == (0, 1, 1)


def test_time_with_the_right_label(timing: ProgrammeResult) -> None:
    """Every half second counts for what was told at its beginning."""
    assert timing.seconds == 11.0
    # Nobody until 2; flute 3 to 4 and 4.5 to 5; violin 6.5 to 9; nobody from 11.
    assert timing.right == pytest.approx(1.0 + 1.5 + 2.5 + 1.0)
    assert timing.calibration_error == pytest.approx(abs(0.5 - 12 / 22))


def test_boundaries_are_matched_within_the_tolerance(timing: ProgrammeResult) -> None:
    """True and told changes are matched one to one."""
    assert timing.boundaries == 5  # 2, 5, 6, 9 and 11 s
    # Told at 3, 4, 4.5, 5.5, 6.5 and 10.5 s.
    assert timing.hits == (3, 5)
    assert timing.figures()["boundary_f"] == {"0.5 s": round(6 / 11, 4), "3 s": round(10 / 11, 4)}


def test_perfect_predictions_score_perfectly() -> None:
    """What is told when it is true has no delay, no flicker and all frames right."""
    timing = score_programmes(
        "perfect", [heard([N, N, F, F, F, V, V, N], [(2.0, "unknown"), (3.5, F), (4.5, V), (5.0, N)])]
    )
    assert timing.delays == (0.0, 0.0)
    assert (timing.beyond, timing.false, timing.missed) == (0, 0, 0)
    assert timing.right == timing.seconds == 4.0
    assert timing.pairwise == 1.0
    assert timing.hits == (3, 3)


def test_label_that_was_told_before_has_no_delay() -> None:
    """A label that happens to be told already when its player begins is not late."""
    timing = score_programmes("early", [heard([N, F, F, F], [(2.0, "violin"), (3.0, "flute")])])
    assert timing.delays == (0.0,)


def test_steady_solos_count_changes_after_the_first_name() -> None:
    """To wait for the first name is no flicker, all that comes after it is."""
    solos = [
        heard([N, N, F, F, F, F, F, F], [(5.0, "flute")]),
        heard([F, F, N, F, V, V, F, F], [(5.0, "flute")]),
        heard([N] * 8, [(5.0, "flute")]),
    ]
    steady = score_programmes("solos", [heard(TOLD, TRUTH)], solos).steady
    assert steady == SteadySolos(solos=3, seconds=7.0, changes=4, right=5.5)
    assert steady.flicker == pytest.approx(60 * 4 / 7)
    assert SteadySolos(0, 0.0, 0, 0.0).figures()["changes_per_minute"] is None


def test_table_has_a_column_for_each(timing: ProgrammeResult) -> None:
    """Figures stand beside each other, with their counts."""
    text = programme_table([timing, score_programmes("perfect", [heard([N, F], [(1.5, N), (2.0, F)])])])
    assert "| figure | made up | perfect |" in text
    assert "| delay of its label, median | 1.00 s | 0.00 s |" in text
    assert "| 90 % of onsets | missed | 0.00 s |" in text
    assert "| missed | 1 (33.3 %) | 0 (0.0 %) |" in text


def test_comparison_finds_the_better_smoothing(published: bundles.Bundle) -> None:
    """Of a smoother that is slow, one that flickers and one that is neither, the last comes first."""
    flute, violin = (np.eye(len(published.instruments))[published.instruments.index(name)] for name in (F, V))
    rng = np.random.default_rng(0)
    hops = 120
    hop = 0.25
    times = 3 + hop * np.arange(hops)
    truth = (Interval(0, 18, F), Interval(18, 33, V))
    lead = np.where(times < 18.5, 0.8, 0.1)[:, None] + rng.uniform(-0.1, 0.1, (hops, 1))
    raw = lead * flute + (0.95 - lead) * violin
    raw[5:110:7] = 0.45 * flute + 0.5 * violin  # windows that cannot tell
    blank = ProgrammePredictions(truth, times, raw, np.zeros(hops, bool), (NO_INSTRUMENT,) * hops, np.ones(hops))
    steady = ProgrammePredictions(
        (Interval(0, 18, F),), times[:60], raw[:60], blank.silent[:60], blank.names[:60], np.ones(60)
    )
    slow, nervous, good = Smoothing(5.0, 0.3), Smoothing(0.01, 0.0, 0.0), Smoothing(0.2, 0.3)
    choices = compare_smoothings(published, [blank], [steady], [slow, nervous, good])
    assert choices[0].smoothing == good
    assert choices[0].shortfall == 0
    worse = {choice.smoothing: choice for choice in choices[1:]}
    assert worse[nervous].timing.steady.changes > 10
    assert worse[slow].timing.delay(0.5) > 2.0
    rows = choices_table(choices).splitlines()
    assert len(rows) == 5
    assert rows[2].startswith("| 0.2 s | 0.3 | 0.5 | 0.6 |")


def test_shortfall_of_a_model_that_misses_is_finite(timing: ProgrammeResult) -> None:
    """Who misses more than one in ten can still be compared with others who do."""
    assert math.isfinite(SmoothingResult(Smoothing(), timing).shortfall)
    assert SmoothingResult(Smoothing(), timing).shortfall > 1
    json.dumps(SmoothingResult(Smoothing(), timing).figures(), allow_nan=False)
