"""The division of recordings among training, validation and test."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("tqdm", reason="needs the train extra")

from tests.support.data_set_files import sides
from train.datasets.clips import SPLITS, Clip
from train.datasets.splits import divide_clips, divide_recordings, seeded_order

single = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["x", "y", "z"]), st.integers(1, 500), min_size=1, max_size=1),
    max_size=40,
)
several = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["x", "y", "z", "w"]), st.integers(1, 500), min_size=1),
    max_size=25,
)


@settings(deadline=None)
@given(recordings=several, seed=st.integers(0, 9), order=st.randoms(use_true_random=False))
def test_division_is_whole_and_repeatable(
    recordings: Mapping[str, Mapping[str, int]], seed: int, order: random.Random
) -> None:
    """Every recording is in one split, the same one in whatever order recordings are listed."""
    division = divide_recordings(recordings, seed=seed)
    assert division.keys() == recordings.keys()
    assert set(division.values()) <= set(SPLITS)
    listed = list(recordings)
    order.shuffle(listed)
    assert divide_recordings({name: recordings[name] for name in listed}, seed=seed) == division
    clips = [
        Clip(label, name, "training", "", "", Path(name), number)
        for name in listed
        for label, many in recordings[name].items()
        for number in range(min(many, 3))
    ]
    assert len(divide_clips(clips, seed=seed)) == len(clips)
    sides(divide_clips(clips, seed=seed))


@settings(deadline=None)
@given(recordings=single, seed=st.integers(0, 9))
def test_every_label_is_in_every_split_it_can_be_in(recordings: Mapping[str, Mapping[str, int]], seed: int) -> None:
    """A label is in training first, with two recordings in validation, with three in the test too."""
    division = divide_recordings(recordings, seed=seed)
    for label in ("x", "y", "z"):
        carriers = [name for name, carried in recordings.items() if label in carried]
        reached = {division[name] for name in carriers}
        assert reached == set(SPLITS[: len(carriers)])


def test_shares_of_clips_are_near() -> None:
    """With many recordings of any length each label's clips divide 70 : 15 : 15, and as asked otherwise."""
    rng = np.random.default_rng(0)
    recordings = {f"{label} {n}": {label: int(rng.integers(1, 60))} for label in "xyz" for n in range(40)}
    for shares in ((0.7, 0.15, 0.15), (0.5, 0.3, 0.2)):
        division = divide_recordings(recordings, shares=shares)
        for label in "xyz":
            total: Counter[str] = Counter()
            for name, carried in recordings.items():
                total[division[name]] += carried.get(label, 0)
            for split, share in zip(SPLITS, shares, strict=True):
                assert total[split] / total.total() == pytest.approx(share, abs=0.02)


def test_largest_of_three_recordings_trains() -> None:
    """With three recordings the shares decide which one trains, under every seed."""
    recordings = {"long": {"x": 700}, "short": {"x": 150}, "other": {"x": 160}}
    for seed in range(10):
        assert divide_recordings(recordings, seed=seed)["long"] == "training"


def test_seed_changes_the_division() -> None:
    """Another seed draws other recordings."""
    recordings = {str(n): {"x": 1} for n in range(40)}
    assert divide_recordings(recordings, seed=1) != divide_recordings(recordings, seed=2)


def test_label_with_a_single_recording_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """A label that only training can have is named in the log."""
    with caplog.at_level(logging.WARNING):
        assert divide_recordings({"a": {"x": 5}, "b": {"y": 5}, "c": {"y": 5}, "d": {"y": 5}})["a"] == "training"
    assert caplog.messages == ["x has too few recordings (1): none for validation and test"]


def test_chance_keeps_the_order_of_what_stays() -> None:
    """Names that are left out leave the order of the others."""
    names = [str(n) for n in range(50)]
    assert sorted(seeded_order(names, 1)) == sorted(names)
    assert [name for name in seeded_order(names, 1) if int(name) % 2] == seeded_order(names[1::2], 1)
    assert seeded_order(names, 1) != seeded_order(names, 2)
