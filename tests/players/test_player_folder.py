"""A folder of taught players, its files, and the bank beside a model."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from stream.errors import ConfigError, ModelError, TeachError
from stream.players.bank import ENDING, Bank, load_bank, read_bank
from stream.players.enrolment import Enrolment, enrol
from stream.players.folder import PlayerFolder, default_folder, file_name
from stream.players.player import read_player, write_player
from stream.recognition import bundle
from stream.recognition.bundle import Bundle
from stream.recognition.classifier import Classifier
from stream.recognition.mel import Array
from stream.recognition.recognizer import Recognizer
from tests.support import tiny
from tests.support.taught import SAXOPHONE, bank_of, saxophone


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """A tiny model with an embedding."""
    return Classifier.load(tiny.INTEGER)


@pytest.fixture(scope="module")
def bank(classifier: Classifier, demo: Array) -> Bank:
    """Everything in the demo but its saxophone."""
    return bank_of(classifier, demo)


@pytest.fixture(scope="module")
def enrolment(classifier: Classifier, demo: Array) -> Enrolment:
    """What is kept of the demo's saxophone."""
    return enrol([saxophone(demo)], classifier)


def read(path: Path, model: Bundle) -> PlayerFolder:
    """Read a folder of which all files can be used."""
    folder = PlayerFolder.read(path, model)
    assert not folder.problems
    return folder


def test_a_player_comes_back_from_its_file(
    tmp_path: Path, classifier: Classifier, bank: Bank, enrolment: Enrolment
) -> None:
    """The head is the same to five digits, the windows to eight bits, and the file is small and has no audio."""
    model = classifier.bundle
    player = PlayerFolder.read(tmp_path, model).teach("Ben's sax", enrolment, bank)
    folder = read(tmp_path, model)
    (found,) = folder.players
    assert found.name == "Ben's sax"
    assert found.like == player.like == "other saxophone"
    np.testing.assert_allclose(found.head.weights, player.head.weights, atol=1e-5)
    np.testing.assert_allclose(found.enrolment.embeddings, player.enrolment.embeddings, atol=0.005)
    assert found.reliability == player.reliability
    assert folder.files[0].stat().st_size < 20_000
    assert [file.name for file in tmp_path.iterdir()] == [file_name("Ben's sax")]


def test_a_taught_name_is_heard_where_it_plays_and_nowhere_else(
    tmp_path: Path, classifier: Classifier, bank: Bank, enrolment: Enrolment, demo: Array
) -> None:
    """It is in the line-up, the probabilities still sum to 1 at the most, and the others are heard."""
    PlayerFolder.read(tmp_path, classifier.bundle).teach("Ben's sax", enrolment, bank)
    heads = read(tmp_path, classifier.bundle).heads
    recognizer = Recognizer(classifier, taught=heads)
    assert recognizer.instruments[-1] == recognizer.lineup[-1] == recognizer.told[-1] == "Ben's sax"
    first, last = SAXOPHONE
    before = {result.estimate.seq: result.estimate.label for result in Recognizer(classifier).feed(demo)}
    others = same = strange = 0
    for result in recognizer.feed(demo):
        it = result.estimate
        assert sum(it.raw.values()) <= 1 + 1e-9
        if first + 4 <= it.time <= last:
            assert it.label == "Ben's sax"
        elif not first <= it.time <= last + 4:
            others += 1
            same += it.label == before[it.seq]
            strange += it.label == "Ben's sax"
    assert strange < 0.03 * others  # between two instruments, where the bank of this test has nothing
    assert same > 0.95 * others


def test_without_anybody_taught_nothing_is_other_than_before(classifier: Classifier, demo: Array) -> None:
    """Every estimate is the same to the bit."""
    heard = [result.estimate for result in Recognizer(classifier, taught=()).feed(demo)]
    assert heard == [result.estimate for result in Recognizer(classifier).feed(demo)]
    assert heard[-1].raw.keys() == set(classifier.bundle.instruments)


def test_a_line_up_may_name_a_taught_name_or_leave_it_out(
    tmp_path: Path, classifier: Classifier, bank: Bank, enrolment: Enrolment, demo: Array
) -> None:
    """One that is left out counts as unknown where it plays, as any other instrument does."""
    PlayerFolder.read(tmp_path, classifier.bundle).teach("Ben", enrolment, bank)
    heads = read(tmp_path, classifier.bundle).heads
    assert Recognizer(classifier, taught=heads, lineup=["Ben", "violin"]).lineup == ("violin", "Ben")
    alone = Recognizer(classifier, taught=heads, lineup=["violin"])
    heard = {result.estimate.label for result in alone.feed(saxophone(demo))}
    assert heard == {None}
    with pytest.raises(ConfigError, match="Bob"):
        Recognizer(classifier, taught=heads, lineup=["Bob"])


def test_a_recognizer_is_replaced_by_one_with_taught_names_while_it_runs(
    tmp_path: Path, classifier: Classifier, bank: Bank, enrolment: Enrolment, demo: Array
) -> None:
    """The stream goes on, and has the new name from then on."""
    PlayerFolder.read(tmp_path, classifier.bundle).teach("Ben", enrolment, bank)
    recognizer = Recognizer(classifier)
    audio = saxophone(demo)
    list(recognizer.feed(audio[: len(audio) // 2]))
    recognizer.replace(Recognizer(classifier, taught=read(tmp_path, classifier.bundle).heads))
    later = list(recognizer.feed(audio[len(audio) // 2 :]))
    assert later[-1].estimate.label == "Ben"
    assert later[-1].estimate.time > 19


def test_players_are_renamed_exported_removed_and_added(
    tmp_path: Path, classifier: Classifier, bank: Bank, enrolment: Enrolment
) -> None:
    """What is exported can be added where it is not there; the others stay."""
    model = classifier.bundle
    PlayerFolder.read(tmp_path, model).teach("Ben", enrolment, bank)
    read(tmp_path, model).teach("Carla", enrolment, bank)
    read(tmp_path, model).rename("Ben", "Benjamin")
    exported = write_player(read(tmp_path, model)["Benjamin"])
    with pytest.raises(TeachError, match="'Benjamin' is taught already"):
        read(tmp_path, model).add(exported, bank)
    read(tmp_path, model).remove("Benjamin", bank)
    assert [player.name for player in read(tmp_path, model).players] == ["Carla"]
    read(tmp_path, model).add(exported, bank)
    assert {player.name for player in read(tmp_path, model).players} == {"Benjamin", "Carla"}
    with pytest.raises(TeachError, match=r"nobody called 'Dora' is taught in .*; there is 'Benjamin', 'Carla'"):
        read(tmp_path, model).remove("Dora", None)


def test_two_names_for_one_sound_are_told_to_be_no_two(
    tmp_path: Path, classifier: Classifier, bank: Bank, enrolment: Enrolment
) -> None:
    """When the second is taught the first is fitted anew, and doubts itself as well."""
    model = classifier.bundle
    assert PlayerFolder.read(tmp_path, model).teach("Ben", enrolment, bank).reliability.is_reliable
    read(tmp_path, model).teach("Carla", enrolment, bank)
    assert not any(player.reliability.is_reliable for player in read(tmp_path, model).players)


def test_files_that_cannot_be_used_are_told_and_left_out(
    tmp_path: Path, classifier: Classifier, bank: Bank, enrolment: Enrolment
) -> None:
    """Damaged ones, those of another model, and a name that is there already: a line for each, and the rest is used."""
    model = classifier.bundle
    PlayerFolder.read(tmp_path, model).teach("Ben", enrolment, bank)
    (good,) = tmp_path.iterdir()
    content = good.read_text()
    held = json.loads(content)
    (tmp_path / "a.player.json").write_text(content[:500])
    (tmp_path / "b.player.json").write_text(json.dumps(held | {"sha256": "0" * 64, "name": "B"}))
    (tmp_path / "c.player.json").write_text(json.dumps(held | {"embeddings": "AAAA", "name": "C"}))
    (tmp_path / "d.player.json").write_text(json.dumps(held | {"name": "violin"}))
    (tmp_path / "e.player.json").write_text(json.dumps(held | {"soloist_player": 9}))
    (tmp_path / "f.player.json").write_text(json.dumps(held | {"ends": [[1]] * 3, "name": "F"}))
    (tmp_path / "z.player.json").write_text(content)
    (tmp_path / "g.player.json").mkdir()
    (tmp_path / "notes.txt").write_text("no player")
    folder = PlayerFolder.read(tmp_path, model)
    assert [player.name for player in folder.players] == ["Ben"]
    said = "\n".join(folder.problems)
    assert len(folder.problems) == 8
    assert all(problem.count("\n") == 0 and problem.endswith("; it is left out") for problem in folder.problems)
    assert "a.player.json: is no file of a taught name, or damaged" in said
    assert "b.player.json: was taught with another model" in said
    assert "z.player.json: 'Ben' is taught in another file, too" in said


@pytest.mark.parametrize("changes", [{"scale": float("nan")}, {"like": "kazoo"}, {"head": {}}, {"name": "\x07"}])
def test_a_file_with_a_wrong_part_is_refused(
    tmp_path: Path, classifier: Classifier, bank: Bank, enrolment: Enrolment, changes: dict[str, object]
) -> None:
    """Whatever the part is, it is one error."""
    player = PlayerFolder.read(tmp_path, classifier.bundle).teach("Ben", enrolment, bank)
    held = json.loads(write_player(player)) | changes
    with pytest.raises(TeachError):
        read_player(json.dumps(held).encode(), classifier.bundle)


@pytest.mark.parametrize("name", ["", " ", "violin", "unknown", "All", "a\nb", "x" * 81])
def test_a_name_that_means_something_else_or_cannot_be_shown_is_refused(
    tmp_path: Path, classifier: Classifier, bank: Bank, enrolment: Enrolment, name: str
) -> None:
    """Nothing is written then."""
    with pytest.raises(TeachError):
        PlayerFolder.read(tmp_path, classifier.bundle).teach(name, enrolment, bank)
    assert not list(tmp_path.iterdir())


def test_a_model_without_an_embedding_cannot_be_taught(
    tmp_path: Path, classifier: Classifier, bank: Bank, enrolment: Enrolment
) -> None:
    """It is said which model can."""
    PlayerFolder.read(tmp_path, classifier.bundle).teach("Ben", enrolment, bank)
    with pytest.raises(ConfigError, match="model residual has no embedding"):
        Recognizer(Classifier.load("residual"), taught=read(tmp_path, classifier.bundle).heads)


def test_a_bank_comes_back_from_its_file(bank: Bank) -> None:
    """Labels and sources are the same, numbers are to eight bits."""
    again = read_bank(bank.packed())
    assert (again.model, again.sha256, again.labels, again.sources) == (
        bank.model,
        bank.sha256,
        bank.labels,
        bank.sources,
    )
    np.testing.assert_allclose(again.embeddings, bank.embeddings, atol=0.005)
    np.testing.assert_allclose(again.probabilities, bank.probabilities, atol=0.003)
    fewer = bank.without(bank.where(labels=["violin"]))
    assert len(fewer) == len(bank) - bank.labels.count("violin")
    assert "violin" not in fewer.labels


def test_a_bank_of_another_model_is_told(tmp_path: Path, bank: Bank) -> None:
    """None, a damaged one, and one of another model are each one line that says what to do."""
    path = shutil.copy(tiny.INTEGER, tmp_path / "mine.tflite")
    shutil.copy(tiny.INTEGER.with_suffix(".json"), tmp_path / "mine.json")
    model = bundle.load(path)
    with pytest.raises(ModelError, match="soloist train bank"):
        load_bank(model)
    beside = tmp_path / f"mine{ENDING}"
    beside.write_bytes(bank.packed())
    assert len(load_bank(model)) == len(bank)
    beside.write_bytes(bank.packed()[:1000])
    with pytest.raises(ModelError, match="no bank, or damaged"):
        load_bank(model)
    beside.write_bytes(dataclasses.replace(bank, sha256="0" * 64).packed())
    with pytest.raises(ModelError, match=r"belongs to another model .*soloist train bank"):
        load_bank(model)


def test_the_models_that_ship_with_a_bank_ship_with_their_own() -> None:
    """The default model has one, and it is for its very weights."""
    bank = load_bank(bundle.load())
    assert len(bank) > 1000
    assert len(set(bank.labels)) > 20


def test_taught_players_are_in_the_users_data_folder() -> None:
    """As XDG says, or at home."""
    assert default_folder({"XDG_DATA_HOME": "/d"}) == Path("/d/soloist/players")
    assert default_folder({"HOME": "/home/me"}) == Path("/home/me/.local/share/soloist/players")
