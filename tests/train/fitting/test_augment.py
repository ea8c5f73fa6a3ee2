"""Augmentation: it changes features as it says, by its seed alone, and every part of it can be left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from train.fitting.augmentation import AUGMENTATIONS, augment, hand_over

Array = npt.NDArray[np.float32]


def batch(count: int = 16) -> tuple[Array, Array]:
    """Clips like music's, with a silent top and beats, each of its own brightness; and their targets."""
    rng = np.random.default_rng(0)
    bands, frames = np.arange(129)[:, None], np.arange(129)
    slopes = rng.uniform(0.1, 0.8, (count, 1, 1))
    clips = -slopes * bands - 20 * np.abs(np.sin(0.1 * frames)) + rng.normal(0, 2, (count, 129, 129))
    clips[:, 120:] = -80
    clips -= clips.max(axis=(1, 2), keepdims=True)
    return clips.clip(-80, 0).astype(np.float32), np.eye(4, dtype=np.float32)[rng.integers(4, size=count)]


def only(name: str) -> tuple[str, ...]:
    """All other augmentations, to be left out."""
    return tuple(other for other in AUGMENTATIONS if other != name)


@pytest.mark.parametrize("handovers", [0.0, 0.5])
def test_augmented_features_stay_in_range(handovers: float) -> None:
    """Augmentation keeps shape, type and range, leaves what it got alone, and the same seed gives the same."""
    clips, targets = batch()
    before = clips.copy(), targets.copy()
    for seed in range(10):
        changed, shares = augment(clips, targets, np.random.default_rng(seed), handovers=handovers)
        assert (changed.shape, changed.dtype, shares.dtype) == (clips.shape, np.float32, np.float32)
        assert changed.min() >= -80
        assert changed.max() <= 0
        again = augment(clips, targets, np.random.default_rng(seed), handovers=handovers)
        np.testing.assert_array_equal(changed, again[0])
        np.testing.assert_array_equal(shares, again[1])
        np.testing.assert_array_equal(clips, before[0])
        np.testing.assert_array_equal(targets, before[1])


def test_mixed_targets_stay_shares() -> None:
    """What is mixed up keeps targets that sum to one; some batches are not mixed."""
    clips, targets = batch()
    mixed = [augment(clips, targets, np.random.default_rng(seed))[1] for seed in range(8)]
    for shares in mixed:
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert any(np.any((shares > 0.01) & (shares < 0.99)) for shares in mixed)
    assert any(np.array_equal(shares, targets) for shares in mixed)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_one_left_out_leaves_the_others(name: str) -> None:
    """Each augmentation changes something by itself, nothing is changed without any, and none disturbs another."""
    clips, targets = batch()
    unchanged = augment(clips, targets, np.random.default_rng(1), AUGMENTATIONS)
    np.testing.assert_array_equal(unchanged[0], clips)
    np.testing.assert_array_equal(unchanged[1], targets)
    rng = [np.random.default_rng(seed) for seed in range(8)]
    assert any(not np.array_equal(augment(clips, targets, own, only(name))[0], clips) for own in rng)
    # The last augmentation's choices are the same whether or not this one is there.
    if name != "mixup":
        for seed in range(4):
            shares = [augment(clips, targets, np.random.default_rng(seed), out)[1] for out in ((), (name,))]
            np.testing.assert_array_equal(*shares)


def test_time_goes_round() -> None:
    """Every clip begins at another moment and has the same frames."""
    clips, targets = batch()
    changed, _ = augment(clips, targets, np.random.default_rng(0), only("time"))
    starts = []
    for clip, was in zip(changed, clips, strict=True):
        starts += [s for s in range(129) if np.array_equal(np.roll(was, -s, axis=1), clip)]
    assert len(starts) == len(clips)
    assert len(set(starts)) > 8


def test_pitch_moves_by_two_bands_at_most() -> None:
    """Clips move up and down by as much as two bands, and nothing comes in from beyond."""
    clips, targets = batch(64)
    changed, _ = augment(clips, targets, np.random.default_rng(0), only("pitch"))
    shifts = []
    for clip, was in zip(changed, clips, strict=True):
        for shift in range(-2, 3):
            expected = np.full_like(was, -80)
            expected[max(shift, 0) : 129 + min(shift, 0)] = was[max(-shift, 0) : 129 - max(shift, 0)]
            if np.array_equal(clip, expected):
                shifts.append(shift)
    assert len(shifts) == len(clips)
    assert set(shifts) == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize("name", ["equaliser", "colour"])
def test_filters_change_spectra_only(name: str) -> None:
    """An equaliser adds a curve to a clip: where nothing is clipped, the same to every frame of a band."""
    clips, targets = batch(32)
    changed, _ = augment(clips, targets, np.random.default_rng(0), only(name))
    touched = [index for index in range(32) if not np.array_equal(changed[index], clips[index])]
    assert 0 < len(touched) < 32
    for index in touched:
        clip, was = changed[index], clips[index]
        assert clip.max() == 0
        heard = (clip > -79) & (was > -79)
        curve = np.where(heard, clip - was, np.nan)[heard.sum(axis=1) > 1]
        assert np.nanmax(np.nanmax(curve, axis=1) - np.nanmin(curve, axis=1)) < 1e-3


def test_colour_moves_towards_another_clip() -> None:
    """Coloured clips of a bright and a dark half come nearer to the mean spectrum of all."""
    clips = np.full((32, 129, 129), -20, np.float32)
    clips[:16] -= np.linspace(0, 40, 129, dtype=np.float32)[:, None]
    changed, _ = augment(clips, np.eye(32, dtype=np.float32), np.random.default_rng(0), only("colour"))
    tilt = (changed[:, :20].mean(axis=(1, 2)) - changed[:, -20:].mean(axis=(1, 2))) / 34  # of the dark half about 1
    assert tilt.min() > -0.05
    assert tilt.max() < 1.05
    assert np.any((tilt[:16] < 0.9) & (tilt[:16] > 0.35))
    assert np.any((tilt[16:] > 0.1) & (tilt[16:] < 0.65))


def test_noise_fills_what_is_silent() -> None:
    """A noise floor raises silence, and leaves what is louder."""
    clips, targets = batch(32)
    changed, _ = augment(clips, targets, np.random.default_rng(0), only("noise"))
    raised = [clip for clip in changed if clip[120:].min() > -80]
    assert 0 < len(raised) < 32
    assert np.all(changed >= clips)
    np.testing.assert_array_equal(changed[clips > -35], clips[clips > -35])
    assert 1.5 < np.std(raised[0][120:]) < 2.5


@pytest.mark.parametrize(("name", "axis", "most"), [("bands", 1, 11), ("frames", 0, 23)])
def test_masks_are_as_wide_as_said(name: str, axis: int, most: int) -> None:
    """A mask silences neighbouring bands or frames of some clips, and leaves the others."""
    clips = np.full((64, 129, 129), -20, np.float32)
    changed, _ = augment(clips, np.eye(64, dtype=np.float32), np.random.default_rng(0), only(name))
    widths = []
    for clip in changed:
        (places,) = np.nonzero((clip == -80).all(axis=axis))
        assert (clip == -80).sum() == 129 * len(places)
        if len(places):
            assert places[-1] - places[0] + 1 == len(places) <= most
        widths.append(len(places))
    assert 10 < np.count_nonzero(widths) < 30


def test_handover_ends_with_the_newer_clip() -> None:
    """The newer clip has the last 0.6 to 2.3 s, and before it is the end of the older one; silence takes no over."""
    rng = np.random.default_rng(0)
    ramp = np.broadcast_to(np.arange(129, dtype=np.float32) / 10, (129, 129))
    before, after = ramp - 60, ramp - 20
    frames = []
    for _ in range(30):
        joined = hand_over(before, after, rng)
        assert joined.max() == 0
        steps = np.diff(joined[0])
        assert np.count_nonzero(np.abs(steps - 0.1) > 1e-3) == 1
        frames.append(128 - int(np.abs(steps - 0.1).argmax()))
        assert joined.dtype == np.float32
    assert 26 <= min(frames) < 40
    assert 80 < max(frames) < 100
    silent = np.full((129, 129), -80, np.float32)
    np.testing.assert_array_equal(hand_over(after, silent, rng), silent)
