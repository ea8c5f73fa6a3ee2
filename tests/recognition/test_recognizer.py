"""Samples in, results out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.errors import ConfigError
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import CHANNELS, HOP_LENGTH, PARAMETERS, SAMPLE_RATE, WINDOW, Array, StreamingMel, stack
from stream.recognition.recognizer import Recognizer
from stream.recognition.results import Estimate, Result, Stretch

HOP = 11 * HOP_LENGTH


def blocks(audio: Array, size: int) -> Iterator[Array]:
    """Cut audio into blocks, in one buffer that is used again and again."""
    buffer = np.empty(size, np.float32)
    for start in range(0, len(audio), size):
        piece = audio[start : start + size]
        buffer[: len(piece)] = piece
        yield buffer[: len(piece)]


@dataclass
class Run:
    """All that a recognizer tells of some audio."""

    results: list[Result]
    last: Stretch
    last_guess: Stretch | None


def run(recognizer: Recognizer, audio: Array, size: int) -> Run:
    """Feed all of the audio in blocks and end the stream."""
    results = [result for block in blocks(audio, size) for result in recognizer.feed(block)]
    results += recognizer.finish()
    return Run(results, recognizer.close(), recognizer.close_guess())


@pytest.fixture(scope="module")
def excerpt(demo: Array) -> Array:
    """A handover of the demo, with some silence and a rest that is no whole hop."""
    return np.concatenate([demo[5 * SAMPLE_RATE : 13 * SAMPLE_RATE], np.zeros(3 * SAMPLE_RATE + 777, np.float32)])


@pytest.fixture(scope="module")
def whole(classifier: Classifier, excerpt: Array) -> Run:
    """Results of the excerpt fed all at once."""
    return run(Recognizer(classifier), excerpt, len(excerpt))


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 7, 512, HOP, 1000])
def test_blocks_do_not_matter(classifier: Classifier, excerpt: Array, whole: Run, size: int) -> None:
    """The same audio in blocks of any size gives the same labels, events and figures."""
    told = run(Recognizer(classifier), excerpt, size)
    assert [result.estimate for result in told.results] == [result.estimate for result in whole.results]
    for of in (attrgetter("transition"), attrgetter("stretch"), attrgetter("guess")):
        assert list(map(of, told.results)) == list(map(of, whole.results))
    assert (told.last, told.last_guess) == (whole.last, whole.last_guess)


def test_results_lie_on_the_grid(whole: Run, excerpt: Array) -> None:
    """The first full window ends at sample 65 536, the others a hop later each, and the last with the audio."""
    full = [result.estimate for result in whole.results if result.estimate.state != "warming"]
    expected = [WINDOW / SAMPLE_RATE + k * HOP / SAMPLE_RATE for k in range((len(excerpt) - WINDOW) // HOP + 1)]
    *grid, last = full
    np.testing.assert_allclose([label.time for label in grid], expected)
    assert last.time == len(excerpt) / SAMPLE_RATE
    warming = [result.estimate for result in whole.results if result.estimate.state == "warming"]
    assert warming
    assert all(label.time < WINDOW / SAMPLE_RATE for label in warming)
    assert [label.seq for label in full] == list(range(len(warming), len(warming) + len(full)))


def test_probabilities_leave_room_for_the_unknown(whole: Run, classifier: Classifier) -> None:
    """Every hop tells a probability for each instrument, together at most 1, and a confidence that fits the state."""
    for label in (result.estimate for result in whole.results):
        for told in (label.raw, label.probabilities):
            assert tuple(told) == classifier.bundle.instruments
            assert all(0 <= value <= 1 for value in told.values())
            assert sum(told.values()) <= 1 + 1e-9
        if label.state == "instrument":
            assert label.confidence == label.probabilities[label.label]
        elif label.state == "unknown":
            assert label.confidence == pytest.approx(1 - sum(label.probabilities.values()))
        else:
            assert label.confidence == 0
            assert label.label is None


def test_segments_and_changes_tell_the_same_story(whole: Run, excerpt: Array) -> None:
    """Segments follow on each other from 0 to the end, and each change closes one and names what it leaves."""
    segments = [result.stretch for result in whole.results if result.stretch] + [whole.last]
    changes = [result.transition for result in whole.results if result.transition]
    assert segments[0].start == 0
    assert segments[0].state == "warming"
    assert segments[-1].end == len(excerpt) / SAMPLE_RATE
    assert [segment.end for segment in segments[:-1]] == [segment.start for segment in segments[1:]]
    assert [change.time for change in changes] == [segment.end for segment in segments[:-1]]
    for change, before, after in zip(changes, segments, segments[1:], strict=False):
        assert (change.previous.state, change.previous.label) == (before.state, before.label)
        assert (change.now.state, change.now.label) == (after.state, after.label)


def test_labels_tell_since_when(whole: Run) -> None:
    """Every label tells the start of the segment that will hold it."""
    segments = [result.stretch for result in whole.results if result.stretch] + [whole.last]
    for label in (result.estimate for result in whole.results):
        segment = [segment for segment in segments if segment.start <= label.time][-1]
        assert (label.state, label.label, label.since) == (segment.state, segment.label, segment.start)


def test_silence_is_told(whole: Run) -> None:
    """A second below the gate is silence, with nothing estimated."""
    assert whole.results[-1].estimate.state == "silence"
    assert sum(whole.results[-1].estimate.probabilities.values()) == 0
    assert whole.results[-1].estimate.rms == -120


def test_a_short_clip_with_a_quiet_end_is_not_silent(classifier: Classifier, demo: Array) -> None:
    """The first window is judged by all of its audio, later ones by what is new, at least a second of it."""
    clip = demo[:WINDOW].copy()
    clip[-2 * SAMPLE_RATE :] = 0
    recognizer = Recognizer(classifier)
    states = [result.estimate.state for result in recognizer.feed(np.concatenate([clip, np.zeros(HOP, np.float32)]))]
    assert states[-2] in ("instrument", "unknown")
    assert states[-1] == "silence"


def test_direct_current_is_silence(classifier: Classifier) -> None:
    """An offset without sound is silence, however large."""
    (result,) = [
        r for r in Recognizer(classifier).feed(np.full(WINDOW, 0.5, np.float32)) if r.estimate.state != "warming"
    ]
    assert result.estimate.state == "silence"
    assert result.estimate.peak == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("count", [0, 1, 1000, WINDOW - 1])
def test_short_audio_is_filled_with_zeros(classifier: Classifier, demo: Array, count: int) -> None:
    """Audio shorter than a window is evaluated once, followed by zeros, and its segment ends with the audio."""
    recognizer = Recognizer(classifier)
    list(recognizer.feed(demo[:count]))
    *_, evaluated = recognizer.finish()
    assert evaluated.estimate.state != "warming"
    assert evaluated.estimate.time == WINDOW / SAMPLE_RATE
    assert recognizer.close().end == count / SAMPLE_RATE


def test_numbers_that_are_none_are_survived(classifier: Classifier, demo: Array) -> None:
    """NaN and infinities are taken as zeros, counted, and forgotten as soon as they have passed."""
    audio = demo[: 10 * SAMPLE_RATE].copy()
    clean = [r.estimate for r in Recognizer(classifier).feed(audio)]
    audio[1000:1003] = np.nan, np.inf, -np.inf
    recognizer = Recognizer(classifier)
    results = list(recognizer.feed(audio))
    assert sum(result.invalid for result in results) == 3
    assert all(np.isfinite([*r.estimate.raw.values(), r.estimate.rms, r.estimate.peak]).all() for r in results)
    assert results[-1].estimate.raw == clean[-1].raw


@pytest.mark.parametrize("gain", [1e3, 1e30])
def test_overload_is_survived_and_told(classifier: Classifier, demo: Array, gain: float) -> None:
    """Audio far beyond full scale gives finite figures and is called clipped."""
    audio = (demo[: 4 * SAMPLE_RATE].astype(np.float64) * gain).astype(np.float32)
    results = list(Recognizer(classifier).feed(audio))
    assert results[-1].clipped
    assert np.isfinite([*results[-1].estimate.raw.values(), results[-1].estimate.peak]).all()


def test_audio_below_full_scale_is_not_called_clipped(whole: Run) -> None:
    """The demo does not clip."""
    assert not any(result.clipped for result in whole.results)


def test_skipped_hops_leave_the_rest_as_it_was(classifier: Classifier, demo: Array) -> None:
    """After skipped hops, an evaluated one hears the same window as if none had been skipped."""
    audio = demo[: 12 * SAMPLE_RATE]
    expected = {r.estimate.seq: r.estimate.raw for r in Recognizer(classifier).feed(audio)}
    recognizer = Recognizer(classifier)
    rest, told = audio, []
    while True:
        rest = recognizer.take(rest)
        if not recognizer.due:
            break
        if len(told) % 3 == 1:
            recognizer.skip()
            told.append(None)
        else:
            told.append(recognizer.evaluate().estimate)
    labels = [label for label in told if label is not None]
    assert len(told) == len(expected)
    for label in labels:
        assert label.raw == pytest.approx(expected[label.seq], abs=0.02)


def test_a_long_gap_starts_over(classifier: Classifier, demo: Array) -> None:
    """Lost audio moves the clock on, ends the segment where it began, and warms up for a whole window."""
    recognizer = Recognizer(classifier)
    before = list(recognizer.feed(demo[: 5 * SAMPLE_RATE]))
    lost = recognizer.lose(10 * SAMPLE_RATE)
    assert lost.estimate.state == "warming"
    assert lost.estimate.time == 15
    assert lost.stretch.end == lost.estimate.since == 5
    assert lost.estimate.seq == before[-1].estimate.seq + 1
    after = list(recognizer.feed(demo[: 5 * SAMPLE_RATE]))
    first = next(result.estimate for result in after if result.estimate.state != "warming")
    assert first.time == pytest.approx(15 + WINDOW / SAMPLE_RATE)
    fresh = next(r.estimate for r in Recognizer(classifier).feed(demo[:WINDOW]) if r.estimate.state != "warming")
    assert first.raw == fresh.raw


def guesses(run: Run) -> list[Stretch]:
    """Return the guesses of a stream."""
    told = [result.guess for result in run.results] + [run.last_guess]
    return [guess for guess in told if guess is not None]


def test_guesses_are_what_the_labels_show(classifier: Classifier, demo: Array) -> None:
    """A guess is the most probable of those not shown in each of its hops, and tells their mean."""
    told = run(Recognizer(classifier), demo, len(demo))
    labels = [result.estimate for result in told.results]
    assert len(guesses(told)) >= 5
    for guess in guesses(told):
        inside = [label for label in labels if guess.start <= label.time < guess.end]
        assert len(inside) >= 2
        for label in inside:
            others = {name: value for name, value in label.probabilities.items() if name != label.label}
            assert max(others, key=lambda name: others[name]) == guess.label
            assert others[guess.label] >= 0.15
        assert guess.confidence == pytest.approx(np.mean([label.probabilities[guess.label] for label in inside]))
    assert any(label.label == guess.label and label.since == guess.end for guess in guesses(told) for label in labels)


@pytest.mark.parametrize("end", ["the stream", "a gap"])
def test_a_guess_ends_with_what_was_heard(classifier: Classifier, demo: Array, end: str) -> None:
    """A guess that goes on when the stream ends, or when audio is lost, ends with the last sample."""
    whole = run(Recognizer(classifier), demo, len(demo))
    longest = max(guesses(whole), key=lambda guess: guess.end - guess.start)
    count = round((longest.end - 0.1) * SAMPLE_RATE)
    recognizer = Recognizer(classifier)
    list(recognizer.feed(demo[:count]))
    if end == "the stream":
        told = recognizer.close_guess()
    else:
        told = recognizer.lose(10 * SAMPLE_RATE).guess
        assert recognizer.close_guess() is None
    assert told is not None
    assert (told.start, told.end, told.label) == (longest.start, count / SAMPLE_RATE, longest.label)


def test_the_lineup_restricts_what_is_named(classifier: Classifier, demo: Array) -> None:
    """What is not in tonight's line-up is never named and has no probability."""
    free = {r.estimate.label for r in Recognizer(classifier).feed(demo)} - {None}
    assert {"violin", "piano"} <= free
    results = list(Recognizer(classifier, lineup=["violin"]).feed(demo))
    assert {result.estimate.label for result in results} == {"violin", None}
    assert all(value == 0 for r in results for name, value in r.estimate.raw.items() if name != "violin")


def test_hops_of_other_lengths(classifier: Classifier, demo: Array) -> None:
    """A hop is rounded to whole frames, and the first full window ends where it always does."""
    recognizer = Recognizer(classifier, hop=0.5)
    assert recognizer.hop == pytest.approx(22 * HOP_LENGTH / SAMPLE_RATE)
    labels: list[Estimate] = [r.estimate for r in recognizer.feed(demo[: 5 * SAMPLE_RATE])]
    assert next(label.time for label in labels if label.state != "warming") == WINDOW / SAMPLE_RATE


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hop": 0.001}, "hop is 0.001"),
        ({"hop": 5.0}, "hop is 5.0"),
        ({"lineup": ["kazoo"]}, "'kazoo'"),
        ({"lineup": []}, "nothing"),
    ],
)
def test_options_that_do_not_fit_are_refused(classifier: Classifier, options: dict, said: str) -> None:
    """A hop or a line-up that cannot be is refused with what was got and what was expected."""
    with pytest.raises(ConfigError, match=said):
        Recognizer(classifier, **options)


def test_the_demo_is_recognized(classifier: Classifier, demo: Array, score: list[dict]) -> None:
    """Each soloist of the demo is named for most of the time in which the window hears nobody else."""
    labels = [result.estimate for result in Recognizer(classifier).feed(demo)]
    for part in score:
        inside = [label for label in labels if part["start"] + WINDOW / SAMPLE_RATE <= label.time <= part["end"]]
        right = [label for label in inside if part["label"] in (label.label, label.state)]
        assert len(right) > len(inside) / 2, part


@dataclass
class TwoChannels:
    """A model that hears the delta beside the mel, as it was made and as it is served."""

    keras: Any
    classifier: Classifier


@pytest.fixture(scope="module")
def two_channels(demo: Array, tmp_path_factory: pytest.TempPathFactory) -> TwoChannels:
    """A bundle of two channels, three labels and drawn weights, of which those that see the delta are the larger."""
    pytest.importorskip("tensorflow", reason="makes its model with it: the train extra")
    import keras

    from train.datasets.clip_features import quantise
    from train.export.int8 import convert_to_int8

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((129, 129, len(CHANNELS))),
            keras.layers.Rescaling(1 / 80, 1.0),
            keras.layers.Conv2D(8, 3, 4, activation="relu"),
            keras.layers.AveragePooling2D(4),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    first, last = model.layers[1], model.layers[-1]
    first.kernel.assign(np.asarray(first.kernel) * np.array([[0.3], [3.0]]))
    windows = [demo[start : start + WINDOW] for start in range(0, len(demo) - WINDOW, 20_000)]
    features = np.array([StreamingMel().features(window, WINDOW) for window in windows])
    logits = np.asarray(model(stack(features, CHANNELS)))
    last.kernel.assign(np.asarray(last.kernel) / logits.std(axis=0))
    last.bias.assign(-logits.mean(axis=0) / logits.std(axis=0))
    content = convert_to_int8(model, quantise(features), CHANNELS)
    info = {
        "format": bundle.FORMAT,
        "name": "two",
        "labels": ["flute", "violin", bundle.UNKNOWN],
        "features": PARAMETERS,
        "channels": list(CHANNELS),
        "calibration": {"temperature": 1.0, "threshold": 0.4},
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    path: Path = tmp_path_factory.mktemp("bundle") / "two.tflite"
    path.write_bytes(content)
    path.with_suffix(".json").write_text(json.dumps(info))
    return TwoChannels(model, Classifier(bundle.load(path)))


@pytest.mark.slow
def test_a_second_channel_reaches_the_model(two_channels: TwoChannels, excerpt: Array) -> None:
    """The probabilities of each hop are those that the Keras model gives for librosa's features of its window."""
    librosa = pytest.importorskip("librosa", reason="parity is measured against librosa: the test extra")
    results = Recognizer(two_channels.classifier).feed(excerpt)
    told = [r.estimate for r in results if r.estimate.state in ("instrument", "unknown")]
    assert len(told) > 20
    differences = []
    for label in told:
        end = round(label.time * SAMPLE_RATE)
        mel = librosa.feature.melspectrogram(y=excerpt[end - WINDOW : end], sr=SAMPLE_RATE, n_mels=129)
        db = librosa.power_to_db(mel, ref=np.max)
        delta = np.clip(6 * librosa.feature.delta(db) - 40, -80, 0)
        logits = np.asarray(two_channels.keras(np.stack([db, delta], axis=-1)[None]))[0]
        expected = np.exp(logits) / np.exp(logits).sum()
        differences.append(np.abs(np.array(list(label.raw.values())) - expected[:2]))
    assert np.mean(differences) < 0.02
    flat = np.stack([db, np.full_like(db, -40)], axis=-1)
    assert np.abs(np.asarray(two_channels.keras(flat[None]))[0] - logits).max() > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("size", [7, HOP, 1000])
def test_blocks_do_not_matter_to_a_second_channel(two_channels: TwoChannels, excerpt: Array, size: int) -> None:
    """With a delta, too, blocks of any size give the same labels."""
    whole = run(Recognizer(two_channels.classifier), excerpt, len(excerpt))
    told = run(Recognizer(two_channels.classifier), excerpt, size)
    assert [result.estimate for result in told.results] == [result.estimate for result in whole.results]
    assert told.last == whole.last
