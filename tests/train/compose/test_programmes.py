"""Continuous programmes, what the recognizer tells of them, how that is scored, and what smoothing costs."""

from __future__ import annotations

import csv
import itertools
import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mir_eval", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("tqdm", reason="needs the train extra")

from stream.errors import ConfigError
from stream.recognition import bundle as bundles
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from stream.recognition.smoothing import Smoother, Smoothing
from tests.support.synthetic_pack import tone, write_pack, write_sound
from tests.support.tone_dataset import HERTZ, ToneDataset
from train.compose.clip_programmes import ClipProgrammes
from train.compose.composed_programmes import STEADY, ComposedProgrammes
from train.compose.decoded_recordings import DecodedRecordings
from train.compose.pack import HELD_OUT_SOURCES
from train.compose.programmes import LEAD_IN, NOBODY, SILENCE, Interval, Programme, concatenate, crossfade
from train.datasets.clips import Array
from train.datasets.labels import INSTRUMENTS
from train.evaluation.programme_evaluation import score_programmes
from train.evaluation.programme_predictions import (
    NO_INSTRUMENT,
    ProgrammePredictions,
    predict_programme,
    predict_programmes,
    smooth_again,
)
from train.evaluation.programme_result import ProgrammeResult, SteadySolos, programme_table
from train.evaluation.smoothing_tradeoff import GRID, SmoothingResult, compare_smoothings
from train.evaluation.smoothing_tradeoff import smoothing_table as choices_table


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a pack of chords and clicks."""
    data = tmp_path_factory.mktemp("data")
    write_pack(data)
    return data


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pack is decoded to."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def stage(toys: Path, cache: Path) -> ComposedProgrammes:
    """Programmes of the toys."""
    return ComposedProgrammes(toys, cache)


@pytest.fixture(scope="module")
def programmes(stage: ComposedProgrammes) -> list[Programme]:
    """Some of them."""
    return [stage.programme(number) for number in range(6)]


@pytest.fixture(scope="module")
def published() -> bundles.Bundle:
    """The model that is always there."""
    return bundles.load("published")


def covers(programme: Programme) -> None:
    """Require intervals from beginning to end, without gap or overlap, and no label twice running."""
    truth = programme.truth
    assert truth[0].start == 0
    assert truth[-1].end == pytest.approx(len(programme.audio) / SAMPLE_RATE)
    assert all(interval.start < interval.end for interval in truth)
    for before, after in itertools.pairwise(truth):
        assert before.end == after.start
        assert before.label != after.label


def test_programme_depends_on_seed_and_number_alone(stage: ComposedProgrammes, toys: Path, cache: Path) -> None:
    """Another stage of the same settings makes the same programmes, in any order and in another process."""
    other = pickle.loads(pickle.dumps(stage))
    backwards = {number: other.programme(number) for number in (4, 2)}
    for number in (2, 4):
        again = stage.programme(number)
        np.testing.assert_array_equal(again.audio, backwards[number].audio)
        assert again.truth == backwards[number].truth
    assert backwards[2].truth != backwards[4].truth
    assert ComposedProgrammes(toys, cache, seed=1).programme(2).truth != backwards[2].truth


def test_truth_covers_the_programme(programmes: list[Programme]) -> None:
    """Every moment has one label, nobody is in front at first, and players play for 4 to 12 s."""
    for programme in programmes:
        covers(programme)
        assert programme.truth[0].label in NOBODY
        assert programme.truth[0].end >= LEAD_IN
        assert np.isfinite(programme.audio).all()
        assert np.abs(programme.audio).max() <= 1
        for interval in programme.truth:
            if interval.label not in NOBODY:
                assert interval.label in INSTRUMENTS
                assert 3.99 < interval.end - interval.start < 12.01
    assert {i.label for programme in programmes for i in programme.truth} > {"unknown", SILENCE}


def test_nobody_plays_twice_running(programmes: list[Programme]) -> None:
    """Every player is another one than the last, rests and noises between them aside."""
    for programme in programmes:
        players = [interval.label for interval in programme.truth if interval.label not in NOBODY]
        assert len(players) > 2
        assert all(before != after for before, after in itertools.pairwise(players))


def test_programmes_are_played_by_held_out_sources(stage: ComposedProgrammes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Soloists, the band behind them and what is unknown are all of sources that are never trained on."""
    heard: set[tuple[str, str]] = set()
    audio = DecodedRecordings.audio

    def tell(decoded: DecodedRecordings, index: int) -> Array:
        heard.add((decoded.recordings[index].instrument, decoded.recordings[index].source))
        return audio(decoded, index)

    monkeypatch.setattr(DecodedRecordings, "audio", tell)
    for number in range(3):
        stage.programme(number)
    stage.solo(0)
    assert ("drums", dict(sorted(HELD_OUT_SOURCES))["drums"]) in heard
    assert heard <= HELD_OUT_SOURCES


def test_solo_is_one_player_for_a_minute(stage: ComposedProgrammes) -> None:
    """Solos are of the instruments in turn, and a minute longer than the first window."""
    for number, label in ((0, INSTRUMENTS[0]), (9, INSTRUMENTS[1])):
        solo = stage.solo(number)
        assert solo.truth == (Interval(0, STEADY, label),)
        assert len(solo.audio) == round(STEADY * SAMPLE_RATE)


def test_chain_sounds_from_the_first_moment(rng: np.random.Generator) -> None:
    """What is silent at a stretch's beginning is cut off, and phrases are joined without gap or jump."""
    late = np.concatenate([np.zeros(9 * 512, np.float32), np.ones(10 * 512, np.float32)])
    fade = round(0.06 * SAMPLE_RATE)
    made = crossfade(iter([late, late[9 * 512 :], late[9 * 512 :]]), 40 * 512)
    assert len(made) == 30 * 512 - 2 * fade  # all there was, less what overlaps
    np.testing.assert_allclose(made[fade:-fade], 1, atol=1e-6)
    assert made[0] == made[-1] == 0
    endless = (rng.uniform(-1, 1, 700).astype(np.float32) for _ in itertools.count())
    assert len(crossfade(endless, 5000)) == 5000


def test_join_merges_neighbours_of_one_label() -> None:
    """Truth is in seconds, and two stretches of one label are one interval."""
    second = np.zeros(SAMPLE_RATE, np.float32)
    joined = concatenate([("unknown", second), ("flute", second), ("flute", second), ("unknown", second)])
    assert joined.truth == (Interval(0, 1, "unknown"), Interval(1, 3, "flute"), Interval(3, 4, "unknown"))
    assert len(joined.audio) == 4 * SAMPLE_RATE


def test_montage_plays_every_clip_once() -> None:
    """A programme of clips has all of them, no label twice running, and depends on its number."""
    dataset = ToneDataset(each=6)
    clips = tuple(clip for clip in dataset.clips if clip.split == "validation" and clip.label != "unknown")
    montage = ClipProgrammes(dataset, clips)
    programme = montage.programme(0)
    covers(programme)
    played = sum(interval.end - interval.start for interval in programme.truth if interval.label != SILENCE)
    whole = len(clips) * WINDOW / SAMPLE_RATE
    assert whole - 0.25 * len(clips) < played <= whole
    assert {interval.label for interval in programme.truth} - NOBODY == set(HERTZ)
    np.testing.assert_array_equal(programme.audio, montage.programme(0).audio)
    assert montage.programme(1).truth != programme.truth
    solo = montage.solo(1)
    assert solo.truth == (Interval(0, STEADY, sorted(HERTZ)[1]),)


def test_hearing_is_what_the_recognizer_tells(stage: ComposedProgrammes, published: bundles.Bundle) -> None:
    """From the first full window on every hop has a name, and smoothing the raw once more gives the same ones."""
    programme = stage.programme(1)
    heard = predict_programme(published, programme)
    assert heard.times[0] == pytest.approx(WINDOW / SAMPLE_RATE)
    assert len(heard.times) == len(heard.names) == len(heard.raw) == len(heard.silent) == len(heard.confidences)
    assert set(heard.names) <= {NO_INSTRUMENT, *published.instruments}
    again = smooth_again(heard, published.instruments, Smoother(published.thresholds))
    assert again.names == heard.names
    np.testing.assert_allclose(again.confidences, heard.confidences, atol=1e-12)


def test_several_processes_hear_the_same(published: bundles.Bundle) -> None:
    """However many processes listen, what they heard comes in the order of the numbers."""
    montage = ClipProgrammes(ToneDataset(), tuple(clip for clip in ToneDataset().clips if clip.split == "test"))
    alone, together = (predict_programmes(published, montage, 3, 1, processes, first=5) for processes in (1, 2))
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


def test_perfect_hearing_scores_perfectly() -> None:
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


def test_weighing_finds_the_better_smoothing(published: bundles.Bundle) -> None:
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
    assert rows[2].startswith("| 0.2 s | 0.3 | 0.5 |")


def test_shortfall_of_a_model_that_misses_is_finite(timing: ProgrammeResult) -> None:
    """Who misses more than one in ten can still be compared with others who do."""
    assert math.isfinite(SmoothingResult(Smoothing(), timing).shortfall)
    assert SmoothingResult(Smoothing(), timing).shortfall > 1
    json.dumps(SmoothingResult(Smoothing(), timing).figures(), allow_nan=False)


def test_pack_without_held_out_sources_is_refused(tmp_path: Path, toys: Path) -> None:
    """There must be somebody to play."""
    with (toys / "training.csv").open(newline="") as file:
        rows = [row for row in csv.reader(file) if row[2] in ("source", "toy")]
    with (tmp_path / "training.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(ConfigError, match="has no validation recordings of clarinet"):
        ComposedProgrammes(tmp_path, tmp_path)


@pytest.fixture
def command(toys: Path, cache: Path, tmp_path: Path) -> list[str]:
    """Arguments that all commands here have."""
    pytest.importorskip("tensorflow", reason="the laboratory's command line needs all of the train extra")
    return [
        *("programmes", "--data", str(toys), "--cache", str(cache), "--model", "published"),
        *("--programmes", "1", "--solos", "1", "--processes", "1", "--json", str(tmp_path / "figures.json")),
    ]


def run(command: list[str]) -> int:
    """Run the laboratory."""
    from train.__main__ import main  # not before it is known that TensorFlow is there

    return main(command)


def test_command_prints_the_table(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of the composed programmes on standard output, and all figures as json."""
    assert run(command) == 0
    assert "| figure | composed |" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert list(figures) == ["composed"]
    assert figures["composed"]["programmes"] == figures["composed"]["steady"]["solos"] == 1
    assert figures["composed"]["onsets"] > 2


def test_command_looks_at_real_clips_when_told_to(
    command: list[str], toys: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --real there is a column of the validation clips in a row, and the look is logged."""
    rows = [["path", "instrument", "track_id"]]
    for number, label in enumerate(("flute", "violin")):
        for take in range(2):
            path = f"validation/{label} {take}.flac"
            write_sound(toys / path, np.tile(tone(440 * (number + 1) + take), 2)[:WINDOW])
            rows.append([path, label, str(number)])
    with (toys / "validation.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert run([*command, "--real"]) == 0
    out = capsys.readouterr().out
    assert "| figure | composed | real |" in out
    assert "were looked at once" in out
    assert (cache / "validation-looks.log").read_text() == "published\n"
    real = json.loads((tmp_path / "figures.json").read_text())["real"]
    assert (real["programmes"], real["onsets"], real["steady"]["solos"]) == (3, 6, 2)


def test_command_prints_what_smoothing_costs(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --tune there is a row for every way of smoothing, today's among them, and no look at real clips."""
    assert run([*command, "--tune"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == len(GRID)
    assert sum("(today)" in row for row in rows) == 1
    assert len(json.loads((tmp_path / "figures.json").read_text())) == len(GRID)
    assert run([*command, "--tune", "--real"]) == 1
    assert "--tune and --real exclude each other" in capsys.readouterr().err


def test_command_needs_programmes(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A number of programmes below one is refused in one line."""
    assert run([*command, "--programmes", "0"]) == 1
    assert capsys.readouterr().err == "soloist train: --programmes is 0; expected 1 or more\n"
