"""Bundles of format 2: more labels than are named by default, tags, an embedding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.errors import ConfigError, ModelError
from stream.protocol.encoding import encode
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.recognizer import Recognizer
from stream.recognition.results import Result
from stream.recognition.smoothing import Smoothing
from stream.service import translation
from stream.settings import check
from stream.settings.reading import read
from tests.support import tiny

INFO: dict[str, Any] = json.loads(tiny.INTEGER.with_suffix(".json").read_text())
EIGHT, LABELS = tuple(INFO["lineup"]), tuple(INFO["labels"])


@pytest.fixture(scope="module", params=[tiny.INTEGER, tiny.REAL], ids=["mel-129, int8", "mel-128, float32"])
def tiny_classifier(request: pytest.FixtureRequest) -> Classifier:
    """A tiny model that has its own line-up, tags and embedding."""
    return Classifier.load(request.param)


@pytest.fixture(scope="module")
def drums(demo: Array) -> Array:
    """Drums, which are outside the model's line-up, and a clarinet after them."""
    return demo[41 * SAMPLE_RATE : 49 * SAMPLE_RATE]


def heard(classifier: Classifier, audio: Array, lineup: list[str] | None = None) -> list[Result]:
    """What is told of some audio from the first full window on."""
    results = Recognizer(classifier, lineup=lineup).feed(audio)
    return [result for result in results if result.estimate.state != "warming"]


def test_a_bundle_says_what_it_has(tiny_classifier: Classifier) -> None:
    """Labels, line-up, thresholds, tags and smoothing are those of the json."""
    loaded = tiny_classifier.bundle
    assert loaded.instruments == loaded.labels == LABELS
    assert loaded.lineup == EIGHT
    assert loaded.tags == tuple(INFO["tags"])
    assert loaded.thresholds == (0.4,) * len(LABELS)
    assert loaded.known == 0.5
    assert loaded.smoothing == Smoothing()


def test_a_bundle_may_bring_its_own_smoothing(tmp_path: Path) -> None:
    """What its json says of smoothing holds, and what is usual for the rest."""
    path = tiny.copied(tmp_path, smoothing={"time_constant": 0.3, "floor": 1})
    assert bundle.load(path).smoothing == Smoothing(time_constant=0.3, floor=1.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": [*LABELS[:-1], LABELS[0]]}, r"expected different ones"),
        ({"labels": [*LABELS[:-1], "unknown"]}, r"labels have unknown"),
        ({"features": None}, r"front end is None; this version has mel-129, mel-128"),
        (
            {"features": INFO["features"] | {"front_end": "mel-1"}},
            r"front end is 'mel-1'; this version has mel-129, mel-128",
        ),
        ({"features": INFO["features"] | {"n_mels": 128}}, r"feature n_mels is 128; the front end computes 129"),
        (
            {"features": INFO["features"] | {"front_end": "mel-128"}},
            r"resampled_rate is None; .* computes 32000",
        ),
        ({"features": INFO["features"] | {"extra": None}}, r"feature extra is None; the front end computes None"),
        ({"outputs": None}, r"outputs are None; expected instruments, and tags"),
        ({"outputs": {"tags": "a"}}, r"expected instruments, and tags"),
        ({"outputs": INFO["outputs"] | {"mood": "a"}}, r"expected instruments, and tags"),
        ({"outputs": INFO["outputs"] | {"tags": 7}}, r"expected the names of different tensors"),
        ({"outputs": dict.fromkeys(INFO["outputs"], "a")}, r"expected the names of different tensors"),
        ({"tags": None}, r"tags are \(\); expected different ones if there is an output"),
        ({"tags": ["Jazz"] * 4}, r"tags are .*expected different ones"),
        ({"tags": "Jazz"}, r"tags are 'Jazz'; expected a list of texts"),
        ({"outputs": {"instruments": "a"}}, r"tags are .*if there is an output for them, else none"),
        ({"lineup": None}, r"lineup are None; expected a list"),
        ({"lineup": []}, r"lineup has \(\); expected different ones of the labels, at least one"),
        ({"lineup": ["violin", "kazoo"]}, r"lineup has \['kazoo'\]; expected different ones of the labels"),
        ({"lineup": ["violin", "violin"]}, r"lineup has \('violin', 'violin'\)"),
        ({"calibration": INFO["calibration"] | {"threshold": dict.fromkeys(EIGHT, 0.4)}}, r"or one for each label"),
        ({"calibration": {"temperature": 1.0, "threshold": 0.5}}, r"calibration known is None; expected a number"),
        ({"calibration": INFO["calibration"] | {"known": 1.1}}, r"calibration known is 1\.1"),
        ({"smoothing": []}, r"smoothing is \[\]; expected an object with any of time_constant, lead"),
        ({"smoothing": {"speed": 1}}, r"smoothing is \{'speed': 1\}; expected an object"),
        ({"smoothing": {"time_constant": 0}}, r"smoothing time_constant is 0; expected a number from 0\.01 to 10"),
        ({"smoothing": {"floor": True}}, r"smoothing floor is True; expected a number from 0 to 1"),
    ],
)
def test_a_json_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    """Whatever does not fit is named with what was found and what was expected, in one line."""
    with pytest.raises(ModelError, match=said) as caught:
        bundle.load(tiny.copied(tmp_path, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outputs": INFO["outputs"] | {"tags": "mood:0"}}, r"no output 'mood:0'; it has \['StatefulPartitionedCall"),
        ({"tags": ["Jazz"]}, r"output tags has shape \(1, 4\); expected \(1, 1\)"),
        (
            {"outputs": {"instruments": INFO["outputs"]["embedding"]}, "tags": None},
            r"output instruments has shape \(1, 64\); expected \(1, 31\)",
        ),
        (
            {
                "format": 1,
                "features": {key: value for key, value in INFO["features"].items() if key != "front_end"},
            },
            r"the model has 3 outputs; expected one in format 1",
        ),
    ],
)
def test_outputs_must_be_what_the_json_says(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    """A json that speaks of other outputs than the .tflite has is refused when the interpreter is made."""
    with pytest.raises(ModelError, match=said):
        Classifier(bundle.load(tiny.copied(tmp_path, **changes)))


def test_what_is_outside_the_lineup_is_unknown(tiny_classifier: Classifier, drums: Array) -> None:
    """By default the bundle's line-up is named, and what the rest gets counts as unknown; `all` names that, too."""
    few, every, asked = (heard(tiny_classifier, drums, lineup) for lineup in (None, ["all"], ["drums", "piano"]))
    labels = [{result.estimate.label for result in results[:4]} for results in (few, every, asked)]
    assert labels == [{None}, {"drums"}, {"drums"}]
    for some, result in zip(few, every, strict=True):
        outside = sum(result.estimate.raw[name] for name in LABELS if name not in EIGHT)
        assert 1 - sum(some.estimate.raw.values()) == pytest.approx(outside, abs=1e-9)
        assert sum(result.estimate.raw.values()) == pytest.approx(1)
        if some.estimate.state == "unknown":
            assert some.estimate.confidence == pytest.approx(1 - sum(some.estimate.probabilities.values()))


def test_a_name_needs_what_is_known(tmp_path: Path, drums: Array) -> None:
    """While the line-up's probabilities sum to less than the model's `known`, nobody is named, whatever a threshold."""
    low = {"temperature": 1.0, "threshold": 0.0, "known": 0.5}
    strict, lax = (
        heard(Classifier(bundle.load(tiny.copied(tmp_path, calibration=low | {"known": known}))), drums)
        for known in (0.5, 0.0)
    )
    named = [result.estimate for result in strict if result.estimate.label is not None]
    assert 0 < len(named) < len(strict)
    assert all(sum(estimate.probabilities.values()) >= 0.5 - 1e-6 for estimate in named)
    assert all(result.estimate.label is not None for result in lax)


@pytest.mark.parametrize(
    ("told", "lineup"), [(None, EIGHT), (["all"], LABELS), (["viola", "piano"], ("piano", "viola"))]
)
def test_the_lineup_is_chosen(tiny_classifier: Classifier, told: list[str] | None, lineup: tuple[str, ...]) -> None:
    """The bundle's own is the default; `all` and any names choose another, in the order of the labels."""
    assert Recognizer(tiny_classifier, lineup=told).lineup == lineup


def test_all_are_all_in_format_1() -> None:
    """A model of format 1 names all that it knows anyway."""
    classifier = Classifier.load("residual")
    lineups = [Recognizer(classifier, lineup=lineup).lineup for lineup in (None, ["all"])]
    assert lineups == [classifier.bundle.instruments] * 2


def test_names_that_are_none_are_told(tiny_classifier: Classifier) -> None:
    """What the model does not know is named in one line, with what there is or what is near it."""
    with pytest.raises(ConfigError, match=r"name 'kazoo'; model tiny-12. knows clarinet, .*viola.*, noise$"):
        Recognizer(tiny_classifier, lineup=["violin", "kazoo"])
    reading = read({"instruments": "xylophone,violas,all,violin,violin"}, {})
    kazoo, violas = check.strangers(reading, tiny_classifier.bundle)
    assert kazoo.endswith("known are " + ", ".join((*LABELS, "all")))
    assert violas.endswith("did you mean viola?")
    assert check.strangers(read({"instruments": "all"}, {}), tiny_classifier.bundle) == []
    assert [note for note in check.notes(reading) if 'names "violin" twice' in note]


def test_an_embedding_and_tags_are_there_for_who_asks(tiny_classifier: Classifier, demo: Array) -> None:
    """The newest window's embedding has unit length, the same sound's are near, and tags are probabilities."""
    piano, flute = (heard(tiny_classifier, demo[start * SAMPLE_RATE :][: 6 * SAMPLE_RATE]) for start in (2, 22))
    inferences = [result.inference for result in (piano[0], piano[-1], flute[-1]) if result.inference is not None]
    one, two, other = (it.embedding for it in inferences if it.embedding is not None)
    assert one.dtype == np.float32
    assert one.shape == (64,)
    assert float(np.linalg.norm(one)) == pytest.approx(1, abs=1e-6)
    assert one @ two > other @ two
    tags = inferences[0].tags
    assert tuple(tags) == tuple(INFO["tags"])
    assert all(0 < value < 1 for value in tags.values())
    (silent,) = heard(tiny_classifier, np.zeros(round(3.1 * SAMPLE_RATE), np.float32))
    assert silent.inference is None


def test_a_model_without_them_has_neither(demo: Array) -> None:
    """A model of format 1 has no embedding and no tags."""
    inference = heard(Classifier.load("residual"), demo[: 4 * SAMPLE_RATE])[0].inference
    assert inference is not None
    assert inference.embedding is None
    assert inference.tags == {}


def test_messages_tell_of_who_may_be_named(tiny_classifier: Classifier, drums: Array) -> None:
    """A label carries the probabilities of the line-ups, tonight's and the model's own, and no zeros of all others."""
    for lineup, told in ((None, EIGHT), (["all"], LABELS), (["drums"], (*EIGHT, "drums"))):
        recognizer = Recognizer(tiny_classifier, lineup=lineup)
        estimate = list(recognizer.feed(drums))[-1].estimate
        label = translation.label(estimate, recognizer.told)
        assert set(label.probabilities) == set(label.raw) == set(told)
        assert sum(label.probabilities.values()) == pytest.approx(sum(estimate.probabilities.values()))
        assert len(encode(label)) < 100 + 60 * len(told)


def test_a_model_at_32_khz_hears_the_same_stream(demo: Array) -> None:
    """Blocks do not matter to its results, nor whether they have frames for a display; a tone is unknown to it, too."""
    classifier = Classifier.load(tiny.REAL)
    excerpt = demo[8 * SAMPLE_RATE : 13 * SAMPLE_RATE]
    whole = list(Recognizer(classifier).feed(excerpt))
    recognizer = Recognizer(classifier)
    recognizer.with_frames = False
    parts = [result for block in np.array_split(excerpt, 97) for result in recognizer.feed(block)]
    assert [result.estimate for result in parts] == [result.estimate for result in whole]
    counts = [len(result.frames) for result in whole]
    assert counts == [0] * counts.count(0) + [125] + [11] * (len(counts) - counts.count(0) - 1)
    assert all(result.frames.size == 0 for result in parts)
    hum = np.sin(2 * np.pi * 100 * np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    assert {(it.estimate.state, it.inference) for it in heard(classifier, hum)} == {("unknown", None)}


def test_another_front_end_goes_on_in_the_same_stream(classifier: Classifier, demo: Array) -> None:
    """When a model of the other front end takes over, it names from its first hop on, and no frame is told twice."""
    other = Classifier.load(tiny.REAL)
    for first, second in ((classifier, other), (other, classifier)):
        recognizer = Recognizer(first)
        before = list(recognizer.feed(demo[: 5 * SAMPLE_RATE]))
        recognizer.replace(Recognizer(second))
        after = list(recognizer.feed(demo[5 * SAMPLE_RATE : 7 * SAMPLE_RATE]))
        assert [len(result.frames) for result in (*before[-3:], *after)] == [11] * (3 + len(after))
        assert [result.estimate.seq for result in (*before, *after)] == list(range(len(before) + len(after)))
        assert {result.estimate.label for result in after} == {"piano"}
        alone = [result.estimate.raw for result in Recognizer(second).feed(demo[: 7 * SAMPLE_RATE])]
        for mine, its in zip([result.estimate.raw for result in after], alone[len(before) :], strict=True):
            assert mine == pytest.approx(its, abs=1e-6)


def test_outputs_that_are_no_numbers_are_unknown() -> None:
    """Where a model of real numbers puts out none, nothing is probable, and there is no embedding."""
    inference = Classifier.load(tiny.REAL).infer(np.full((128, 292), np.nan, np.float32))
    assert not inference.probabilities.any()
    assert inference.embedding is None
    assert max(inference.tags.values()) < 1e-9
