"""The composer and the pack it plays from."""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("tqdm", reason="needs the train extra")

from stream.errors import ConfigError, SourceError
from stream.recognition.mel import WINDOW, StreamingMel
from train.compose import effects
from train.compose.composed_clips import ComposedClips
from train.compose.composer import INGREDIENTS, Composer, Recipe
from train.compose.decoded_recordings import DecodedRecordings, read_mono
from train.compose.pack import (
    HELD_OUT_SOURCES,
    VALIDATION_SOURCES,
    Recording,
    read_pack,
    read_rooms,
    split_by_source,
    split_of_source,
)
from train.compose.source_selection import SourceSelection
from train.datasets.clip_features import decibels, window_features
from train.datasets.clips import SPLITS, Array, Split
from train.datasets.corpus import extract
from train.datasets.labels import INSTRUMENTS, LABELS
from train.evaluation.real_clips import open_real_clips as real_clips

STUDY = ("distorted electric guitar", "female singer", "clarinet", "piano")


@pytest.fixture
def pack(shared: Path) -> list[Recording]:
    """The recordings that models are trained on."""
    return read_pack(shared)


def test_clip_depends_on_seed_and_number_alone(three_way_pack: Path, tmp_path: Path) -> None:
    """Two composers with one recipe compose the same clip, and another seed another one."""
    first, again = (Composer(Recipe(three_way_pack, tmp_path, "training", 3)) for _ in range(2))
    other = Composer(Recipe(three_way_pack, tmp_path, "training", 4))
    first.audio(0)  # what was composed before must not matter
    np.testing.assert_array_equal(first.audio(7), again.audio(7))
    assert first.plan(7) == again.plan(7)
    assert not np.array_equal(first.audio(7), other.audio(7))


def test_clip_is_a_window_of_sound(three_way_pack: Path, tmp_path: Path) -> None:
    """Clips are as long as a window, finite, in range and never silent, and every label occurs."""
    composer = Composer(Recipe(three_way_pack, tmp_path, "training", 0))
    for index in range(80):
        audio = composer.audio(index)
        assert audio.shape == (WINDOW,)
        assert audio.dtype == np.float32
        assert np.isfinite(audio).all()
        assert 1e-3 < np.abs(audio).max() <= 1.0
    assert {composer.plan(index).label for index in range(80)} == set(LABELS)


def test_plan_needs_no_audio(three_way_pack: Path, tmp_path: Path) -> None:
    """What a clip will be is known while nothing is decoded."""
    composer = Composer(Recipe(three_way_pack, tmp_path / "cache", "training", 0))
    assert {composer.plan(index).name for index in range(80)} > set(INSTRUMENTS)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("side", "three_way"),
    [("training", False), ("validation", False), ("training", True), ("validation", True), ("test", True)],
)
def test_instruments_are_played_by_their_own_sources(
    side: Split, three_way: bool, three_way_pack: Path, tmp_path: Path
) -> None:
    """A clip's predominant source belongs to its label, and to the side of the split that was asked for."""
    composer = Composer(Recipe(three_way_pack, tmp_path, side, 0, three_way=three_way))
    for index in range(60):
        plan = composer.plan(index)
        assert plan.label in {plan.name, "unknown"}
        if plan.label != "unknown":
            assert [instrument for instrument, _ in plan.sources] == [plan.label]
        assert all(split_of_source(*maker, three_way=three_way) == side for maker in plan.sources)


def test_accompaniment_is_from_the_same_side(
    three_way_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a clip is composed of, rooms apart, is of a source on its side."""
    heard: set[tuple[str, str]] = set()
    audio = DecodedRecordings.audio

    def listen(decoded: DecodedRecordings, index: int) -> Array:
        heard.add((decoded.recordings[index].instrument, decoded.recordings[index].source))
        return audio(decoded, index)

    monkeypatch.setattr(DecodedRecordings, "audio", listen)
    for side in SPLITS:
        heard.clear()
        composer = Composer(Recipe(three_way_pack, tmp_path, side, 0, LABELS[:2], three_way=True))
        for index in range(25):
            composer.audio(index)
        assert {instrument for instrument, _ in heard} > set(LABELS[:2])  # and what accompanies them
        assert {split_of_source(*maker, three_way=True) for maker in heard} == {side}


def test_unfinished_tape_is_not_played(three_way_pack: Path, tmp_path: Path) -> None:
    """What a killed process has left of its decoding is not taken for the recordings, and is removed when it is old."""
    young, old = tmp_path / ".tape-young", tmp_path / ".tape-old"
    for folder in (young, old):
        folder.mkdir()
        (folder / "samples").write_bytes(b"\0" * 1000)
    os.utime(old, (0, 0))
    recordings = read_pack(three_way_pack)
    decoded = DecodedRecordings(three_way_pack, recordings, tmp_path)
    for index in (0, len(recordings) - 1):
        np.testing.assert_allclose(
            decoded.audio(index), read_mono(three_way_pack / recordings[index].path), atol=1 / 32767
        )
    assert sorted(path.name for path in tmp_path.glob(".tape-*")) == [".tape-young"]


@pytest.mark.slow
def test_data_set_is_the_same_for_any_number_of_processes(three_way_pack: Path, tmp_path: Path) -> None:
    """One process and two, which decode and compose for themselves, get the same features."""
    alone, together = (
        extract(
            ComposedClips(three_way_pack, tmp_path / str(processes), training=36, validation=12, unknown=True),
            tmp_path / str(processes),
            processes=processes,
        )
        for processes in (1, 2)
    )
    assert alone.computed == together.computed == 48
    for split in SPLITS:
        np.testing.assert_array_equal(alone.corpora[split].features(), together.corpora[split].features())
        np.testing.assert_array_equal(alone.corpora[split].targets, together.corpora[split].targets)
        assert alone.corpora[split].digest == together.corpora[split].digest


def test_larger_data_set_begins_like_a_smaller_one(three_way_pack: Path, tmp_path: Path) -> None:
    """More clips take only their own time; another seed, other labels or another division take all of it."""
    small = ComposedClips(three_way_pack, tmp_path, training=6, validation=3)
    assert extract(small, tmp_path, processes=1).computed == 9
    assert extract(replace(small, training=8, validation=4), tmp_path, processes=1).computed == 3
    assert extract(replace(small, training=2), tmp_path, processes=1).computed == 0
    others = [replace(small, seed=1), replace(small, unknown=True), replace(small, test=1)]
    assert len({small.digest, *(other.digest for other in others)}) == 4


def test_changed_recording_changes_the_digest(three_way_pack: Path, tmp_path: Path) -> None:
    """Clips of a pack in which a file has another size are other clips."""
    data = tmp_path / "data"
    shutil.copytree(three_way_pack, data)
    before = ComposedClips(data, tmp_path).digest
    with (data / "training/drums/toy/click.flac").open("ab") as file:
        file.write(b"more")
    assert ComposedClips(data, tmp_path).digest != before


@pytest.mark.parametrize("count", [2, 3, 4])
def test_study_tasks_have_their_labels_in_equal_shares(count: int, three_way_pack: Path, tmp_path: Path) -> None:
    """A data set of some instruments has only their labels, unknown if asked, and about as many clips of each."""
    dataset = ComposedClips(three_way_pack, tmp_path, instruments=STUDY[:count], training=1500, validation=0)
    assert dataset.labels == tuple(label for label in LABELS if label in STUDY[:count])
    counts = Counter(clip.label for clip in dataset.clips)
    assert set(counts) == set(dataset.labels)
    assert max(counts.values()) < 1.25 * min(counts.values())
    asked = replace(dataset, unknown=True)
    assert asked.labels == (*dataset.labels, "unknown")
    # What is left of the eight is unknown then, and unknown alone.
    unknown = {clip.recording.split("/")[0] for clip in asked.clips if clip.label == "unknown"}
    assert unknown > set(INSTRUMENTS) - set(dataset.labels)
    assert not unknown & set(dataset.labels)


def test_clips_are_described(three_way_pack: Path, tmp_path: Path) -> None:
    """Numbers are unique, sources and licences are those of the recording, and noise is a recording of its own."""
    dataset = ComposedClips(three_way_pack, tmp_path, training=200, validation=50, test=50, unknown=True)
    assert len({clip.number for clip in dataset.clips}) == len(dataset.clips) == 300
    for clip in dataset.clips:
        instrument, source = clip.recording.split(" + ")[0].split("/")
        if instrument == "noise":
            assert (clip.source, clip.licence) == ("synthesised", "")
        else:
            assert source in clip.source
            assert clip.licence == "CC0"
    noises = [clip.recording for clip in dataset.clips if clip.recording.startswith("noise/")]
    assert len(noises) == len(set(noises)) > 0


def test_stored_features_are_those_of_the_service() -> None:
    """Stored features are the front end's to half a step, whatever was computed before."""
    rng = np.random.default_rng(0)
    first, second = (rng.standard_normal(WINDOW).astype(np.float32) for _ in range(2))
    window_features(first)
    expected = StreamingMel().features(second, WINDOW)
    np.testing.assert_allclose(decibels(window_features(second)), expected, atol=80 / 255 / 2 + 1e-3)


def test_missing_instrument_is_named(three_way_pack: Path, tmp_path: Path) -> None:
    """A pack without an instrument that is asked for is refused with the instrument's name."""
    lines = (three_way_pack / "training.csv").read_text().splitlines()
    data = tmp_path / "data"
    data.mkdir()
    (data / "training.csv").write_text("\n".join(line for line in lines if ",flute," not in line))
    (data / "training").symlink_to(three_way_pack / "training")
    with pytest.raises(ConfigError, match="no training recordings of flute"):
        ComposedClips(data, tmp_path / "cache")
    assert ComposedClips(data, tmp_path / "cache", instruments=STUDY).clips


@pytest.mark.slow
def test_missing_recording_is_named(three_way_pack: Path, tmp_path: Path) -> None:
    """A recording that the manifest names and the folder lacks is named before anything is composed."""
    (tmp_path / "training.csv").write_text((three_way_pack / "training.csv").read_text())
    with pytest.raises(SourceError, match=r"training/clarinet/toy/0\.flac, which cannot be read"):
        extract(ComposedClips(tmp_path, tmp_path), tmp_path, processes=1)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"instruments": ("flute", "theremin")}, "theremin"),
        ({"instruments": ("flute",)}, "two or more labels"),
        ({"training": -1}, "0 or more"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], text: str, three_way_pack: Path, tmp_path: Path) -> None:
    """Unknown instruments, a single label and negative numbers of clips are named."""
    with pytest.raises(ConfigError, match=text):
        ComposedClips(three_way_pack, tmp_path, **settings)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """A folder without a manifest is refused with its name."""
    with pytest.raises(SourceError, match=r"training\.csv"):
        read_pack(tmp_path)


def test_validation_clips_in_the_pack_are_refused(tmp_path: Path) -> None:
    """A manifest that would train on validation clips is refused."""
    (tmp_path / "training.csv").write_text(
        "path,instrument,source,original,midi,seconds,licence\nvalidation/a.flac,flute,x,a,,3,CC0\n"
    )
    with pytest.raises(ConfigError, match="outside training/"):
        read_pack(tmp_path)


@pytest.mark.parametrize("three_way", [False, True])
def test_no_source_is_on_two_sides(three_way: bool, pack: list[Recording], shared: Path, tmp_path: Path) -> None:
    """No source and no clip's recording is on two sides, none is lost, and every instrument is on each side."""
    divided = {
        side: {(row.instrument, row.source) for row in rows}
        for side, rows in split_by_source(pack, three_way=three_way).items()
        if rows
    }
    assert tuple(divided) == SPLITS[: 2 + three_way]
    assert sum(len(side) for side in divided.values()) == len({(row.instrument, row.source) for row in pack})
    assert divided["test" if three_way else "validation"] == HELD_OUT_SOURCES
    if three_way:
        assert divided["validation"] == VALIDATION_SOURCES
    for side in divided.values():
        assert {instrument for instrument, _ in side} >= {*INSTRUMENTS, "drums", "bass"}

    dataset = ComposedClips(shared, tmp_path, training=2000, validation=500, test=500 * three_way, unknown=True)
    recordings: dict[str, set[Split]] = defaultdict(set)
    for clip in dataset.clips:
        recordings[clip.recording].add(clip.split)
        for maker in clip.recording.split(" + "):
            instrument, source = maker.split("/")
            assert instrument == "noise" or (instrument, source) in divided[clip.split]
    assert all(len(splits) == 1 for splits in recordings.values())


def test_validation_is_never_trained_on(pack: list[Recording], shared: Path) -> None:
    """No recording that is trained on or convolved with is a validation clip."""
    validation = {str(clip.path.relative_to(shared)) for clip in real_clips(shared).clips}
    assert len(validation) == 104
    assert not validation & {row.path for row in pack + read_rooms(shared)}


def test_pitches_are_sounding_ones(pack: list[Recording]) -> None:
    """Every pitch lies on the piano's keyboard or a little around it."""
    midis = [row.midi for row in pack if row.midi is not None]
    assert len(midis) > 5000
    assert min(midis) >= 12
    assert max(midis) <= 110


@pytest.mark.parametrize(
    ("effect", "ingredient"),
    [
        ("amplifier", "amplifier"),
        ("blow_harder", "blown"),
        ("hall", "halls"),
        ("microphone_response", "microphone"),
        ("mixing_desk", "desk"),
        ("feedback", "feedback"),
        ("codec", "codec"),
    ],
)
def test_effect_that_is_left_out_is_never_used(
    effect: str, ingredient: str, three_way_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the ingredient some of the clips have it, and without it none."""
    used: list[int] = []
    original = getattr(effects, effect)
    monkeypatch.setattr(effects, effect, lambda *arguments: (used.append(1), original(*arguments))[1])
    without = Composer(Recipe(three_way_pack, tmp_path, "training", 1, without=(ingredient,)))
    whole = Composer(Recipe(three_way_pack, tmp_path, "training", 1))
    several = range(60)
    for index in several:
        without.audio(index)
    assert not used
    assert any(whole.audio(index) is not None and used for index in several)


def test_bare_clips_have_every_label(three_way_pack: Path, tmp_path: Path) -> None:
    """Without any ingredient there are clips of every label still."""
    bare = Composer(Recipe(three_way_pack, tmp_path, "training", 1, without=tuple(INGREDIENTS)))
    assert {bare.plan(index).label for index in range(80)} == set(LABELS)
    for index in range(8):
        clip = bare.audio(index)
        assert np.isfinite(clip).all()
        assert np.abs(clip).max() > 1e-3


def test_nobody_is_behind_without_accompaniment(
    three_way_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accompaniment is a player more, who is chosen for it alone."""
    asked: list[str] = []
    original = SourceSelection.accompaniment
    monkeypatch.setattr(SourceSelection, "accompaniment", lambda *self: (asked.append("band"), original(*self))[1])
    for index in range(20):
        Composer(Recipe(three_way_pack, tmp_path, "training", 1, without=("accompaniment",))).audio(index)
    assert not asked
    for index in range(20):
        Composer(Recipe(three_way_pack, tmp_path, "training", 1)).audio(index)
    assert asked


def test_what_is_left_out_has_to_exist(three_way_pack: Path, tmp_path: Path) -> None:
    """A misspelt ingredient is refused in one line that names the ones there are."""
    with pytest.raises(ConfigError, match="no ingredient rooom; there are phrases, renderings"):
        Composer(Recipe(three_way_pack, tmp_path, "training", 0, without=("rooom",)))


def test_leaving_out_is_part_of_the_digest(three_way_pack: Path, tmp_path: Path) -> None:
    """Clips made with and without an ingredient never share a place in the cache."""
    digests = {
        ComposedClips(three_way_pack, tmp_path, without=without).digest
        for without in ((), ("desk",), ("desk", "noise"))
    }
    assert len(digests) == 3
    assert ComposedClips(three_way_pack, tmp_path, without=("noise", "desk")).digest in digests


def test_sisters_and_amplified_guitars_can_stay_away(pack: list[Recording]) -> None:
    """Without them, only tenor saxophones play tenor saxophone, and no clean guitar a distorted one."""
    here = [n for n, row in enumerate(pack) if split_of_source(row.instrument, row.source) == "training"]
    cast = SourceSelection(pack, here, LABELS, sisters=False, renderings=False, amplifier=False)
    rng = np.random.default_rng(0)
    sources = {
        maker for plan in (cast.plan(rng) for _ in range(2000)) if plan.label != "unknown" for maker in plan.sources
    }
    assert not {"other saxophone", "clean electric guitar"} & {instrument for instrument, _ in sources}
    assert "fluidr3_gm" not in {source for _, source in sources}
    assert {instrument for instrument, _ in sources} == set(INSTRUMENTS)


def test_plan_of_ones_own_is_played(three_way_pack: Path, tmp_path: Path) -> None:
    """A clip can be composed for a player that the caller chose: the same sound for the same random numbers."""
    composer = Composer(Recipe(three_way_pack, tmp_path, "training", 0))
    plan = composer.plan(3)
    first, again = (composer.compose(plan, np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (WINDOW,)


def test_all_sources_train_a_model_that_ships(three_way_pack: Path, tmp_path: Path) -> None:
    """Asked for, training clips are composed of held-out sources, too; the other clips stay what they are."""
    whole, held = (
        ComposedClips(three_way_pack, tmp_path, training=300, validation=5, all_sources=every)
        for every in (True, False)
    )
    sources = [{clip.recording for clip in data.clips if clip.split == "training"} for data in (whole, held)]
    assert {f"{instrument}/{source}" for instrument, source in HELD_OUT_SOURCES} & sources[0]
    assert not {f"{instrument}/{source}" for instrument, source in HELD_OUT_SOURCES} & sources[1]
    for first, second in zip(whole.clips[-5:], held.clips[-5:], strict=True):
        np.testing.assert_array_equal(whole.audio(first), held.audio(second))
    assert whole.digest != held.digest
