"""Clips as stages sound: who is in front, what the targets say, and that nothing held out is trained on."""

from __future__ import annotations

import csv
import pickle
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from stream.errors import ConfigError
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from tests.support.synthetic_pack import tone, write_sound
from train.compose import disturbances
from train.compose.held_notes import sustain
from train.compose.pack import read_pack
from train.compose.players import STAGE_HELD_OUT_SOURCES, Players, is_held_out, label_of
from train.compose.songs import HELD_OUT_SONGS, read_backing_tracks, read_songs
from train.compose.stage_clips import StageClips
from train.compose.stage_plans import Manner, Scene
from train.datasets.labels import ALL_LABELS, INSTRUMENTS
from train.datasets.soft_targets import loudness, target


@pytest.fixture(scope="module")
def stage_pack(synthetic_pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic pack, with an accordion beyond the eight and songs on both sides."""
    folder = tmp_path_factory.mktemp("stage-pack") / "data"
    shutil.copytree(synthetic_pack, folder)
    with (folder / "training.csv").open("a", newline="") as file:
        for source in ("toy", "timgm6mb_beyond"):
            for note in range(4):
                path = f"training/accordion/{source}/{note}.flac"
                write_sound(folder / path, tone(300 + 20 * note) / 2)
                csv.writer(file).writerow([path, "accordion", source, "", 60 + note, 1.5, "CC0"])
    with (folder / "songs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        columns = "path instrument context sure source recording original seconds licence author note"
        rows.writerow(columns.split(" "))
        for number, (instrument, context, sure, recording) in enumerate(
            (
                ("none", "song", "fair", "torcs:torcs1"),
                ("none", "song", "fair", "redeclipse:track_02"),
                ("violin", "song", "unsure", "0ad:Dried_Tears"),
                ("synth", "alone", "sure", "ev3:2.Lithium"),
                ("synth", "alone", "sure", "ev3:7.Francium"),
                ("tuba", "alone", "sure", "iowa:iowa_tuba_E2"),
            )
        ):
            path = f"songs/{number}.flac"
            write_sound(folder / path, np.tile(tone(90 * (number + 1)), 3) / 2)
            source = recording.partition(":")[0]
            rows.writerow([path, instrument, context, sure, source, recording, "", 4.5, "CC0", "", ""])
    return folder


@pytest.fixture(scope="module")
def stage_clips(stage_pack: Path, pack_cache: Path) -> StageClips:
    """A small data set of it."""
    return StageClips(stage_pack, pack_cache, training=240, validation=80, seed=3)


def test_clips_are_known_by_number(stage_clips: StageClips, stage_pack: Path, pack_cache: Path) -> None:
    """A clip is the same in another process and in a larger data set, and another with another seed."""
    clips = [clip for clip in stage_clips.clips if clip.split == "training"][:4]
    again = pickle.loads(pickle.dumps(StageClips(stage_pack, pack_cache, training=250, validation=5, seed=3)))
    other = StageClips(stage_pack, pack_cache, training=4, validation=0, seed=4)
    assert again.clips[:4] == tuple(clips)
    for clip in clips:
        first, second = stage_clips.compose(clip), again.compose(clip)
        np.testing.assert_array_equal(first.audio, second.audio)
        np.testing.assert_array_equal(first.target.shares, second.target.shares)
    assert [clip.label for clip in other.clips] != [clip.label for clip in clips]
    assert other.digest != stage_clips.digest == again.digest


def test_a_clip_is_a_window_with_a_soft_target(stage_clips: StageClips) -> None:
    """Audio is finite, of the window's size and within [-1, 1]; shares add up to 1, most to what is in front."""
    one_of_each = {
        key: clip for clip in stage_clips.clips for key in (stage_clips.plan(clip).manner, stage_clips.plan(clip).scene)
    }
    assert one_of_each.keys() >= {*get_args(Manner), *get_args(Scene)}
    for clip in one_of_each.values():
        composed, plan = stage_clips.compose(clip), stage_clips.plan(clip)
        assert composed.audio.shape == (WINDOW,)
        assert composed.audio.dtype == np.float32
        assert 0 < np.abs(composed.audio).max() <= 1
        shares = composed.target.shares
        assert shares.sum() == pytest.approx(1, abs=1e-5)
        assert composed.target.certain[shares > 0].all()
        front = shares[ALL_LABELS.index(clip.label)]
        if plan.scene != "duo":
            assert front == shares.max()


def test_nothing_held_out_is_trained_on(stage_clips: StageClips, stage_pack: Path) -> None:
    """No player is on two sides, in front or behind; guesses of a tagger and what no label fits are left out."""
    sides = {
        side: {clip.recording for clip in stage_clips.clips if clip.split == side}
        for side in ("training", "validation")
    }
    assert not sides["training"] & sides["validation"]
    held_out = {f"{instrument}/{source}" for instrument, source in STAGE_HELD_OUT_SOURCES}
    assert not sides["training"] & (held_out | HELD_OUT_SONGS)
    assert {"accordion/toy", "ev3:2.Lithium", "torcs:torcs1"} <= sides["training"]
    assert {"accordion/timgm6mb_beyond", "ev3:7.Francium", "redeclipse:track_02"} <= sides["validation"]
    songs = read_songs(stage_pack)
    assert [song.recording for song in songs if song.certainty == 0] == ["0ad:Dried_Tears"]
    assert "0ad:Dried_Tears" not in sides["training"]
    assert not any("tuba" in song.recording for song in songs)
    rng = np.random.default_rng(0)
    for side, bed in ((False, "torcs:torcs1"), (True, "redeclipse:track_02")):
        player = Players(read_pack(stage_pack), songs, side).draw_bed(rng)
        assert player is not None
        assert player.source == bed


def test_backing_tracks_are_bands_to_play_before(stage_pack: Path, pack_cache: Path, tmp_path: Path) -> None:
    """Songs without their guitars are beds, on the side of the pieces that the table of songs has of them."""
    package = "fretsonfire-songs-muldjord"
    rows = ["path,package,version,seconds,licence"]
    for title in ("chaos god", "mutilated mime"):
        for part in ("song", "guitar"):
            path = f"{package}/muldjord_{title}_{part}.ogg"
            write_sound(tmp_path / path, np.tile(tone(200), 15) / 2)
            rows.append(f"{path},{package},1,22.5,CC0")
    (tmp_path / "music.csv").write_text("\n".join(rows) + "\n")
    tracks = read_backing_tracks(tmp_path)
    assert [track.recording for track in tracks] == ["fof_muldjord:chaos_god", "fof_muldjord:mutilated_mime"]
    rng = np.random.default_rng(0)
    for held_out, track in enumerate(tracks):
        player = Players([], tracks, bool(held_out)).draw_bed(rng)
        assert player is not None
        assert player.source == track.recording
    dataset = StageClips(stage_pack, pack_cache, training=1, validation=0, music=tmp_path, shares={"band": 1.0})
    assert dataset.compose(dataset.clips[0]).target.shares[ALL_LABELS.index("band")] > 0.65


def test_settings_that_cannot_be_are_told(stage_pack: Path, tmp_path: Path) -> None:
    """A share of no label, a negative number and a pack without one of the eight are told in a line."""
    with pytest.raises(ConfigError, match="shares are given of kazoo"):
        StageClips(stage_pack, tmp_path, shares={"kazoo": 1.0})
    with pytest.raises(ConfigError, match="expected 0 or more"):
        StageClips(stage_pack, tmp_path, training=-1)
    (tmp_path / "training.csv").write_text("path,instrument,source,midi,seconds,licence,original\n")
    with pytest.raises(ConfigError, match="no training recordings of clarinet"):
        StageClips(tmp_path, tmp_path)


def test_shares_fall_with_loudness() -> None:
    """Two equals share, 6 dB below has 0.3, 20 dB below nothing; a soloist deep in a band keeps 0.6."""
    flute, band = ("flute", 1.0), ("band", 1.0)
    place = [ALL_LABELS.index("flute"), ALL_LABELS.index("band")]
    for decibels, shares in ((0, (0.5, 0.5)), (-6, (0.7, 0.3)), (-20, (1, 0)), (-70, (1, 0))):
        np.testing.assert_allclose(
            target([((flute,), 0.0), ((band,), decibels)], soloist=False).shares[place], shares, atol=0.01
        )
    deep = target([((flute,), -8.0), ((band,), 0.0)], soloist=True, doubtful=("band", "drums"), weight=0.5)
    np.testing.assert_allclose(deep.shares[place], (0.6, 0.4), atol=1e-6)
    assert [label for label, certain in zip(ALL_LABELS, deep.certain, strict=True) if not certain] == ["drums"]
    assert deep.weight == 0.5


def test_loudness_is_as_heard() -> None:
    """A tone of 1 kHz is far louder than one of 50 Hz with the same energy (30 dB under the A weighting)."""
    time = np.arange(WINDOW) / SAMPLE_RATE
    low, middle = (np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in (50, 1000))
    assert loudness(middle) - loudness(low) == pytest.approx(30.2, abs=0.3)


def test_a_note_is_sustained_without_seams() -> None:
    """A note of a second lasts for four, no softer than 3 dB, and no step in it is larger than its own."""
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    note = sum(np.sin(2 * np.pi * 220 * k * time) / k for k in range(1, 6)).astype(np.float32)
    long = sustain(note, 4 * SAMPLE_RATE, np.random.default_rng(1))
    assert len(long) >= 4 * SAMPLE_RATE
    power = np.square(long[: 4 * SAMPLE_RATE].reshape(-1, 882)).mean(axis=1)
    assert power.min() > power.max() / 2
    assert np.abs(np.diff(long)).max() < 1.2 * np.abs(np.diff(note)).max()
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[:300] = 1
    assert len(sustain(click, 4 * SAMPLE_RATE, np.random.default_rng(1))) == len(click)


def test_disturbances_are_audible_and_differ() -> None:
    """Each kind makes a whole window of finite sound, and another one each time."""
    for kind, _ in disturbances._KINDS:
        first, second = (np.asarray(kind(np.random.default_rng(seed))) for seed in (1, 2))
        assert first.shape == (WINDOW,)
        assert np.isfinite(first).all()
        assert np.std(first) > 0
        assert not np.allclose(first, second)


@pytest.mark.usefixtures("shared")
def test_every_label_is_played_and_held_out(shared: Path) -> None:
    """Players of all labels train and validate, and of two recordings of an instrument in songs one is held out.

    Only the accordion has to be rendered to be trained on.
    """
    pack, songs = read_pack(shared), read_songs(shared)
    assert set(ALL_LABELS) - Players(pack, songs, held_out=False).labels <= {"accordion"}
    assert Players(pack, songs, held_out=True).labels == set(ALL_LABELS)
    recordings = {song.recording for song in songs}
    assert recordings >= HELD_OUT_SONGS
    for instrument in {song.row.instrument for song in songs}:
        sure = {song.recording for song in songs if song.row.instrument == instrument and song.certainty}
        if len(sure) > 1:
            assert 0 < len(sure & HELD_OUT_SONGS) < len(sure), instrument
    trained = {row.instrument for row in pack if not is_held_out(row)}
    assert trained >= {*INSTRUMENTS, "viola", "bassoon", "mandolin", "bass clarinet"}
    assert {label_of(row) for row in pack if row.instrument == "backing loops"} >= {"viola", "drums", "synthesizer"}
