"""The composer and the pack it plays from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("keras", reason="needs the train extra")

from train_toys import toy_pack

from stream.errors import ConfigError, SourceError
from stream.features import WINDOW, StreamingMel
from train.composer import Composer, Recipe
from train.corpus import compose, decibels, window_features
from train.pack import HELD_OUT, INSTRUMENTS, LABELS, read_pack, read_rooms, read_validation, split

DATA = Path(__file__).parents[2] / "shared" / "data"

needs_data = pytest.mark.skipif(not (DATA / "training.csv").exists(), reason=f"no training data in {DATA}")


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a pack of chords and clicks."""
    data = tmp_path_factory.mktemp("data")
    toy_pack(data)
    return data


def test_clip_depends_on_seed_and_number_alone(toys: Path, tmp_path: Path) -> None:
    """Two composers with one recipe compose the same clip, and another seed another one."""
    first, again = (Composer(Recipe(toys, tmp_path, False, 3)) for _ in range(2))
    other = Composer(Recipe(toys, tmp_path, False, 4))
    first.clip(0)  # what was composed before must not matter
    np.testing.assert_array_equal(first.clip(7).audio, again.clip(7).audio)
    assert first.clip(7).label == again.clip(7).label
    assert not np.array_equal(first.clip(7).audio, other.clip(7).audio)


def test_clip_is_a_window_of_sound(toys: Path, tmp_path: Path) -> None:
    """Clips are as long as a window, finite, in range and never silent, and every label occurs."""
    composer = Composer(Recipe(toys, tmp_path, False, 0))
    clips = [composer.clip(index) for index in range(80)]
    for clip in clips:
        assert clip.audio.shape == (WINDOW,)
        assert clip.audio.dtype == np.float32
        assert np.isfinite(clip.audio).all()
        assert 1e-3 < np.abs(clip.audio).max() <= 1.0
    assert {clip.label for clip in clips} == set(range(len(LABELS)))


def test_instruments_are_played_by_their_own_sources(toys: Path, tmp_path: Path) -> None:
    """A clip's predominant source belongs to its label, and to the side of the split that was asked for."""
    for held_out in (False, True):
        composer = Composer(Recipe(toys, tmp_path, held_out, 0))
        for index in range(40):
            clip = composer.clip(index)
            if clip.label < len(INSTRUMENTS):
                instrument, source = clip.source.split("/")
                assert instrument == LABELS[clip.label]
                assert ((instrument, source) in HELD_OUT) is held_out


def test_corpus_is_the_same_for_any_number_of_processes(toys: Path, tmp_path: Path) -> None:
    """One process and two compose the same features, and the second call loads them."""
    recipe = Recipe(toys, tmp_path / "one", False, 1)
    alone = compose(recipe, 10, 1)
    together = compose(Recipe(toys, tmp_path / "two", False, 1), 10, 2)
    np.testing.assert_array_equal(alone.features, together.features)
    np.testing.assert_array_equal(alone.labels, together.labels)
    assert alone.digest == together.digest
    np.testing.assert_array_equal(compose(recipe, 10, 1).features, alone.features)


def test_stored_features_are_those_of_the_service() -> None:
    """Stored features are the front end's to half a step, whatever was computed before."""
    rng = np.random.default_rng(0)
    first, second = (rng.standard_normal(WINDOW).astype(np.float32) for _ in range(2))
    window_features(first)
    expected = StreamingMel().features(second, WINDOW)
    np.testing.assert_allclose(decibels(window_features(second)), expected, atol=80 / 255 / 2 + 1e-3)


def test_missing_instrument_is_named(toys: Path, tmp_path: Path) -> None:
    """A pack without an instrument is refused with the instrument's name."""
    lines = (toys / "training.csv").read_text().splitlines()
    data = tmp_path / "data"
    data.mkdir()
    (data / "training.csv").write_text("\n".join(line for line in lines if ",flute," not in line))
    (data / "training").symlink_to(toys / "training")
    with pytest.raises(ConfigError, match="no training recordings of flute"):
        Composer(Recipe(data, tmp_path / "cache", False, 0))


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


@needs_data
def test_split_is_disjoint_by_source() -> None:
    """No source is on both sides, none is lost, and every instrument has training and held-out sources."""
    pack = read_pack(DATA)
    training, held_out = ({(row.instrument, row.source) for row in side} for side in split(pack))
    assert not training & held_out
    assert training | held_out == {(row.instrument, row.source) for row in pack}
    assert held_out == HELD_OUT
    for label in INSTRUMENTS:
        assert any(instrument == label for instrument, _ in training), label
        assert any(instrument == label for instrument, _ in held_out), label


@needs_data
def test_validation_is_never_trained_on() -> None:
    """No recording that is trained on or convolved with is a validation clip."""
    validation = {row.path for row in read_validation(DATA)}
    assert len(validation) == 104
    assert not validation & {row.path for row in read_pack(DATA) + read_rooms(DATA)}


@needs_data
def test_pitches_are_sounding_ones() -> None:
    """Every pitch lies on the piano's keyboard or a little around it."""
    midis = [row.midi for row in read_pack(DATA) if row.midi is not None]
    assert len(midis) > 5000
    assert min(midis) >= 12
    assert max(midis) <= 110
