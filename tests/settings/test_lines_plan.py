"""The plan of a stage, and what is said of one that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.recognition.classifier import Classifier
from stream.settings.lines_plan import LinePlan, read_plan, strangers

PLAN = """\
[audio]
device = "USB"

[[line]]
name = "Anna"
channels = [3]
instruments = ["violin"]

[[line]] # two microphones
name = "Keys"
gate = -50
channels = [
  5, 6]
instruments = ["piano",
  "organ"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a plan stands."""
    return tmp_path / "plan.toml"


def test_a_plan_is_read(file: Path) -> None:
    """Lines are in their order, with their places; other tables are somebody else's."""
    file.write_text(PLAN)
    plan = read_plan(file)
    assert plan.problems == ()
    assert plan.lines == (
        LinePlan("Anna", (3,), ("violin",), None, f"{file}:4", f"{file}:7"),
        LinePlan("Keys", (5, 6), ("piano", "organ"), -50.0, f"{file}:9", f"{file}:14"),
    )


def test_a_plan_may_be_a_list_of_tables(file: Path) -> None:
    """Its lines stand where the list does."""
    file.write_text('line = [{ name = "A", channels = [1], instruments = ["oboe"] }]')
    assert read_plan(file).lines == (LinePlan("A", (1,), ("oboe",), None, f"{file}:1", f"{file}:1"),)


LINE = '[[line]]\nname = "A"\nchannels = [1]\ninstruments = ["oboe"]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LINE + "gat = -50", ':5: unknown key "gat" in [[line]]; did you mean gate?'),
        (LINE + "gate = 3", ":5: gate is 3; expected -120 to 0"),
        (LINE + 'gate = "low"', ':5: gate is "low"; expected a number'),
        (LINE.replace('"A"', '" "'), ':2: name is " "; expected a text that is not empty'),
        (LINE.replace("[1]", "[]"), ":3: channels is []; expected a list of numbers such as [3]"),
        (LINE.replace("[1]", "1"), ":3: channels is 1; expected a list of numbers such as [3]"),
        (LINE.replace("[1]", "[true]"), ":3: channels is [true]; expected a list of numbers such as [3]"),
        (LINE.replace("[1]", "[0]"), ":3: channels is [0]; expected numbers from 1 to 256"),
        (LINE.replace("[1]", "[2, 1, 2]"), ":3: channels is [2, 1, 2]; expected each channel once"),
        (LINE.replace('["oboe"]', "[]"), ':4: instruments is []; expected a list of names such as ["violin"]'),
        (
            LINE.replace('["oboe"]', '["oboe", "oboe"]'),
            ':4: instruments is ["oboe", "oboe"]; expected each name once',
        ),
        (LINE + LINE, ':6: "A" is the name of the line on line 1, too'),
        (
            '\n[[line]]\nname = "A"\nchannels = [1]',
            ':2: the line has no instruments; expected instruments = ["violin"]',
        ),
        ("[line]\nname = 1", ":1: line is a table; expected a table [[line]] for each line"),
        ("line = 3", ":1: line is 3; expected a table [[line]] for each line"),
        ("[audio]", ": has no line; expected a table [[line]] for each"),
        ("[[line]\n", ":1: Expected ']]' at the end of an array declaration (column 7)"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(file: Path, text: str, said: str) -> None:
    """One line says where it stands, what it is and what was expected."""
    file.write_text(text)
    (problem,) = read_plan(file).problems
    assert problem.startswith(f"{file}{said}")
    assert "\n" not in problem


def test_all_that_is_wrong_is_told_in_the_order_of_the_file(file: Path) -> None:
    """A line with a fault does not hide those of the others."""
    file.write_text("[[line]]\nchannels = []\nname = 1\n[[line]]\nx = 1\n" + LINE)
    plan = read_plan(file)
    assert [problem.removeprefix(f"{file}:").split(":")[0] for problem in plan.problems] == list("123444" + "5")
    assert [line.name for line in plan.lines] == ["A"]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """It is missing, a folder, too long, or no text."""
    (tmp_path / "long.toml").write_text("#" * 70_000)
    (tmp_path / "odd.toml").write_bytes(b"\n\xff")
    assert read_plan(tmp_path / "none.toml").problems == (f"{tmp_path}/none.toml: No such file or directory",)
    assert len(read_plan(tmp_path).problems) == 1
    assert "longer than the 65536 bytes" in read_plan(tmp_path / "long.toml").problems[0]
    assert read_plan(tmp_path / "odd.toml").problems[0].startswith(f"{tmp_path}/odd.toml:2: byte 0xff is not UTF-8")


def test_an_instrument_that_the_model_does_not_know_is_told(file: Path, classifier: Classifier) -> None:
    """With the nearest name that it knows."""
    file.write_text(LINE.replace("oboe", "trumpt"))
    assert strangers(read_plan(file).lines, classifier.bundle) == [
        f'{file}:4: instruments of line "A" name "trumpt", which model lead does not know; did you mean trumpet?'
    ]
