"""Continuous programmes, what the recognizer tells of them, how that is scored, and what smoothing costs."""

from __future__ import annotations

import csv
import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mir_eval", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("tqdm", reason="needs the train extra")

from stream.errors import ConfigError
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from tests.support.tone_dataset import HERTZ, ToneDataset
from train.compose.clip_programmes import ClipProgrammes
from train.compose.composed_programmes import STEADY, ComposedProgrammes
from train.compose.decoded_recordings import DecodedRecordings
from train.compose.pack import HELD_OUT_SOURCES
from train.compose.programmes import LEAD_IN, NOBODY, SILENCE, Interval, Programme, concatenate, crossfade
from train.datasets.clips import Array
from train.datasets.labels import INSTRUMENTS


@pytest.fixture(scope="module")
def programmes(programmes_of_pack: ComposedProgrammes) -> list[Programme]:
    """Some of them."""
    return [programmes_of_pack.programme(number) for number in range(6)]


def covers(programme: Programme) -> None:
    """Require intervals from beginning to end, without gap or overlap, and no label twice running."""
    truth = programme.truth
    assert truth[0].start == 0
    assert truth[-1].end == pytest.approx(len(programme.audio) / SAMPLE_RATE)
    assert all(interval.start < interval.end for interval in truth)
    for before, after in itertools.pairwise(truth):
        assert before.end == after.start
        assert before.label != after.label


@pytest.mark.slow
def test_programme_depends_on_seed_and_number_alone(
    programmes_of_pack: ComposedProgrammes, synthetic_pack: Path, pack_cache: Path
) -> None:
    """Another stage of the same settings makes the same programmes, in any order and in another process."""
    other = pickle.loads(pickle.dumps(programmes_of_pack))
    backwards = {number: other.programme(number) for number in (4, 2)}
    for number in (2, 4):
        again = programmes_of_pack.programme(number)
        np.testing.assert_array_equal(again.audio, backwards[number].audio)
        assert again.truth == backwards[number].truth
    assert backwards[2].truth != backwards[4].truth
    assert ComposedProgrammes(synthetic_pack, pack_cache, seed=1).programme(2).truth != backwards[2].truth


@pytest.mark.slow
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


def test_programmes_are_played_by_held_out_sources(
    programmes_of_pack: ComposedProgrammes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Soloists, the band behind them and what is unknown are all of sources that are never trained on."""
    heard: set[tuple[str, str]] = set()
    audio = DecodedRecordings.audio

    def tell(decoded: DecodedRecordings, index: int) -> Array:
        heard.add((decoded.recordings[index].instrument, decoded.recordings[index].source))
        return audio(decoded, index)

    monkeypatch.setattr(DecodedRecordings, "audio", tell)
    for number in range(3):
        programmes_of_pack.programme(number)
    programmes_of_pack.solo(0)
    assert ("drums", dict(sorted(HELD_OUT_SOURCES))["drums"]) in heard
    assert heard <= HELD_OUT_SOURCES


def test_solo_is_one_player_for_a_minute(programmes_of_pack: ComposedProgrammes) -> None:
    """Solos are of the instruments in turn, and a minute longer than the first window."""
    for number, label in ((0, INSTRUMENTS[0]), (9, INSTRUMENTS[1])):
        solo = programmes_of_pack.solo(number)
        assert solo.truth == (Interval(0, STEADY, label),)
        assert len(solo.audio) == round(STEADY * SAMPLE_RATE)


def test_crossfaded_phrases_sound_from_the_first_moment(rng: np.random.Generator) -> None:
    """What is silent at a stretch's beginning is cut off, and phrases are joined without gap or jump."""
    late = np.concatenate([np.zeros(9 * 512, np.float32), np.ones(10 * 512, np.float32)])
    fade = round(0.06 * SAMPLE_RATE)
    made = crossfade(iter([late, late[9 * 512 :], late[9 * 512 :]]), 40 * 512)
    assert len(made) == 30 * 512 - 2 * fade  # all there was, less what overlaps
    np.testing.assert_allclose(made[fade:-fade], 1, atol=1e-6)
    assert made[0] == made[-1] == 0
    endless = (rng.uniform(-1, 1, 700).astype(np.float32) for _ in itertools.count())
    assert len(crossfade(endless, 5000)) == 5000


def test_concatenation_merges_neighbours_of_one_label() -> None:
    """Truth is in seconds, and two stretches of one label are one interval."""
    second = np.zeros(SAMPLE_RATE, np.float32)
    joined = concatenate([("unknown", second), ("flute", second), ("flute", second), ("unknown", second)])
    assert joined.truth == (Interval(0, 1, "unknown"), Interval(1, 3, "flute"), Interval(3, 4, "unknown"))
    assert len(joined.audio) == 4 * SAMPLE_RATE


def test_every_clip_is_played_once() -> None:
    """A programme of clips has all of them, no label twice running, and depends on its number."""
    dataset = ToneDataset(each=6)
    clips = tuple(clip for clip in dataset.clips if clip.split == "validation" and clip.label != "unknown")
    in_a_row = ClipProgrammes(dataset, clips)
    programme = in_a_row.programme(0)
    covers(programme)
    played = sum(interval.end - interval.start for interval in programme.truth if interval.label != SILENCE)
    whole = len(clips) * WINDOW / SAMPLE_RATE
    assert whole - 0.25 * len(clips) < played <= whole
    assert {interval.label for interval in programme.truth} - NOBODY == set(HERTZ)
    np.testing.assert_array_equal(programme.audio, in_a_row.programme(0).audio)
    assert in_a_row.programme(1).truth != programme.truth
    solo = in_a_row.solo(1)
    assert solo.truth == (Interval(0, STEADY, sorted(HERTZ)[1]),)


def test_pack_without_held_out_sources_is_refused(tmp_path: Path, synthetic_pack: Path) -> None:
    """There must be somebody to play."""
    with (synthetic_pack / "training.csv").open(newline="") as file:
        rows = [row for row in csv.reader(file) if row[2] in ("source", "toy")]
    with (tmp_path / "training.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(ConfigError, match="has no validation recordings of clarinet"):
        ComposedProgrammes(tmp_path, tmp_path)
