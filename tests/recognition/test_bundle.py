"""Model bundles: what is loaded, and what is refused."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path

import pytest

from stream.errors import ModelError
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.recognizer import Recognizer
from stream.settings import check
from stream.settings.reading import read

INSTRUMENTS = (
    "clarinet",
    "distorted electric guitar",
    "female singer",
    "flute",
    "piano",
    "tenor saxophone",
    "trumpet",
    "violin",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the shipped model that a test may damage: the path of its .tflite."""
    for suffix in (".tflite", ".json"):
        with resources.as_file(resources.files("stream") / "models" / f"published{suffix}") as path:
            shutil.copy(path, tmp_path / f"mine{suffix}")
    return tmp_path / "mine.tflite"


def edit(path: Path, **changes: object) -> None:
    """Change the json beside a model; a value of None takes the key away."""
    file = path.with_suffix(".json")
    info = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({key: value for key, value in info.items() if value is not None}))


@pytest.mark.parametrize("name", bundle.shipped_names())
def test_shipped_models_load(name: str) -> None:
    """Every shipped model fits its interpreter and tells what it was trained on, with licences, and what it scored."""
    loaded = bundle.load(name)
    Classifier(loaded)
    assert (loaded.lineup or loaded.instruments) == INSTRUMENTS
    assert loaded.name == name
    sources = loaded.info["training"]["data"]
    assert sources
    assert all(source["licence"] and source["files"] > 0 for source in sources)
    assert loaded.info["metrics"]
    assert loaded.info["command"].startswith("soloist train")
    assert {"python", "tensorflow", "numpy", "soloist"} <= set(loaded.info["versions"])


@pytest.mark.parametrize("suffix", [".tflite", ".json"])
def test_a_model_is_loaded_by_path(copy: Path, suffix: str) -> None:
    """Either of the two files of a bundle may be named."""
    assert bundle.load(copy.with_suffix(suffix)).labels == bundle.load("published").labels


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 3}, r"format is 3; this version reads formats 1 and 2"),
        ({"format": None}, r"format is None"),
        ({"name": 7}, r"name is 7"),
        ({"sha256": "00" * 32}, r"the \.tflite has SHA-256 \w{12}.*expects 000000000000"),
        ({"labels": ["violin", "violin"]}, r"expected different ones"),
        ({"labels": ["unknown"]}, r"at least one of them an instrument"),
        ({"labels": "violin"}, r"expected a list of texts"),
        ({"features": {}}, r"feature sample_rate is None; the front end computes 22050"),
        ({"channels": "mel"}, r"channels are 'mel'; this version computes mel, delta"),
        ({"channels": ["mel", "chroma"]}, r"channels are \['mel', 'chroma'\]; this version computes mel, delta"),
        ({"channels": ["mel", ["delta"]]}, r"this version computes mel, delta"),
        ({"channels": []}, r"channels are \[\]; expected different ones, the first of them mel"),
        ({"channels": ["delta", "mel"]}, r"the first of them mel"),
        ({"channels": ["mel", "mel"]}, r"expected different ones"),
        ({"calibration": {"temperature": 0, "threshold": 0.5}}, r"temperature is 0"),
        ({"calibration": {"temperature": 1.0}}, r"threshold is None"),
        ({"calibration": {"temperature": 1.0, "threshold": {"kazoo": 0.5}}}, r"one for each label"),
        ({"calibration": {"temperature": 1.0, "threshold": 1.5}}, r"threshold is 1\.5"),
        ({"calibration": {"temperature": True, "threshold": 0.5}}, r"temperature is True"),
    ],
)
def test_a_json_that_does_not_fit_is_refused(copy: Path, changes: dict[str, object], said: str) -> None:
    """Whatever does not fit is named with what was found and what was expected, in one line."""
    edit(copy, **changes)
    with pytest.raises(ModelError, match=said) as caught:
        bundle.load(copy)
    assert "\n" not in str(caught.value)
    assert str(copy) in str(caught.value)


def test_one_wrong_feature_is_named(copy: Path) -> None:
    """A model made for other features is refused by the name of the one that differs."""
    edit(copy, features=bundle.load("published").info["features"] | {"n_mels": 128})
    with pytest.raises(ModelError, match="feature n_mels is 128; the front end computes 129"):
        bundle.load(copy)


def test_labels_must_fit_the_output(copy: Path) -> None:
    """A json with fewer labels than the model has outputs is refused when the interpreter is made."""
    edit(copy, labels=["violin", "unknown"], calibration={"temperature": 1.0, "threshold": 0.5})
    with pytest.raises(ModelError, match=r"output has shape \(1, 9\); expected \(1, 2\)"):
        Classifier(bundle.load(copy))


def test_channels_must_fit_the_input(copy: Path) -> None:
    """A json with more channels than the model has is refused when the interpreter is made."""
    assert bundle.load(copy).channels == ("mel",)
    edit(copy, channels=["mel", "delta"])
    with pytest.raises(ModelError, match=r"input has shape \(1, 129, 129, 1\); expected \(1, 129, 129, 2\)"):
        Classifier(bundle.load(copy))


@pytest.mark.parametrize("missing", [".tflite", ".json"])
def test_a_missing_file_is_named(copy: Path, missing: str) -> None:
    """Without either of its two files there is no model."""
    copy.with_suffix(missing).unlink()
    with pytest.raises(ModelError, match=rf"mine\{missing}: No such file"):
        bundle.load(copy)


def test_a_json_that_is_none_is_refused(copy: Path) -> None:
    """A json that cannot be parsed says where."""
    copy.with_suffix(".json").write_text("{")
    with pytest.raises(ModelError, match="cannot be parsed"):
        bundle.load(copy)
    copy.with_suffix(".json").write_text("[]")
    with pytest.raises(ModelError, match="holds a list; expected an object"):
        bundle.load(copy)


def test_labels_may_have_commas_and_accents_in_either_form(copy: Path) -> None:
    """Labels are composed, and a line-up names them in either form, with their commas or split at them."""
    names = ["guitar, distorted", "Flo\u0308te", *INSTRUMENTS[2:], "unknown"]
    each = dict.fromkeys(names[:-1], 0.5) | {"Flo\u0308te": 0.75}
    edit(copy, labels=names, calibration={"temperature": 1.0, "threshold": each})
    loaded = bundle.load(str(copy))
    assert loaded.instruments[:2] == ("guitar, distorted", "Fl\u00f6te")
    assert loaded.thresholds[1] == 0.75
    classifier = Classifier(loaded)
    for told in (["Flo\u0308te", "guitar, distorted"], ["guitar", "distorted", "Fl\u00f6te"]):
        assert Recognizer(classifier, lineup=told).lineup == ("guitar, distorted", "Fl\u00f6te")
    for flag in ('Flöte,"guitar, distorted"', "guitar, distorted, Flo\u0308te"):
        reading = read({"instruments": flag, "model": str(copy)}, {})
        assert check.strangers(reading, loaded) == []
        assert Recognizer(classifier, lineup=reading.settings.recognition.instruments).lineup == loaded.instruments[:2]
    (said,) = check.strangers(read({"instruments": "guitar distorted"}, {}), loaded)
    assert said.endswith('did you mean "guitar, distorted"?')
    edit(copy, labels=["Flo\u0308te", "Fl\u00f6te", *INSTRUMENTS[2:], "unknown"])
    with pytest.raises(ModelError, match="expected different ones"):
        bundle.load(str(copy))


def test_an_unknown_name_lists_the_known_ones() -> None:
    """A name that is not shipped is answered with those that are."""
    with pytest.raises(ModelError, match=r"no model 'kazoo'; shipped are .*published"):
        bundle.load("kazoo")
