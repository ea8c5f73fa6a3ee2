"""What several tests of the laboratory need: nothing here is changed by a test, so all of them share it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stream.recognition.bundle import Bundle
    from tests.support.trained_model import TrainedModel
    from train.compose.composed_programmes import ComposedProgrammes
    from train.datasets.corpus import Extraction


@pytest.fixture(scope="session")
def synthetic_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of chords and clicks: training sources and held-out ones."""
    from tests.support.synthetic_pack import write_pack

    folder = tmp_path_factory.mktemp("pack")
    write_pack(folder)
    return folder


@pytest.fixture(scope="session")
def three_way_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of chords and clicks with sources to train, to validate and to test with."""
    from tests.support.synthetic_pack import write_pack

    folder = tmp_path_factory.mktemp("three-way-pack")
    write_pack(folder, three_way=True)
    return folder


@pytest.fixture(scope="session")
def pack_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where packs are decoded to, and the features of their clips are kept: equal clips are composed once."""
    return tmp_path_factory.mktemp("pack-cache")


@pytest.fixture(scope="session")
def tone_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tones per class."""
    from tests.support.tone_folder import write_tones

    return write_tones(tmp_path_factory.mktemp("tones") / "data")


@pytest.fixture(scope="session")
def tone_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the features of the tones are kept."""
    return tmp_path_factory.mktemp("tone-cache")


@pytest.fixture(scope="session")
def tone_features(tone_folder: Path, tone_cache: Path) -> Extraction:
    """The tones' features."""
    from train.datasets.corpus import extract
    from train.datasets.folder import read_folder

    return extract(read_folder(tone_folder), tone_cache, processes=1)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A model of three kinds of tones and unknown, fitted once."""
    from tests.support.tone_dataset import HERTZ
    from tests.support.trained_model import train_model

    return train_model(tmp_path_factory.mktemp("trained"), (*HERTZ, "unknown"))


@pytest.fixture(scope="session")
def published() -> Bundle:
    """The shipped model of the published network."""
    from stream.recognition.bundle import load

    return load("published")


@pytest.fixture(scope="session")
def programmes_of_pack(synthetic_pack: Path, pack_cache: Path) -> ComposedProgrammes:
    """Programmes composed of the synthetic pack's held-out sources."""
    from train.compose.composed_programmes import ComposedProgrammes

    return ComposedProgrammes(synthetic_pack, pack_cache)
