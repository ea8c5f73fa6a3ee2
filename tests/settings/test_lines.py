"""Lines as settings: tables, flags and a variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import ConfigError
from stream.settings.check import notes, problems, strays, table
from stream.settings.lines import LineSettings, LinesSettings, parse_line
from stream.settings.reading import load, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna=3:violin", LineSettings("Anna", (3,), ("violin",))),
        ("Ben = 4", LineSettings("Ben", (4,))),
        ("Drums=5-8", LineSettings("Drums", (5, 6, 7, 8))),
        ("Keys=1,2:piano, clarinet", LineSettings("Keys", (1, 2), ("piano", "clarinet"))),
        ("Zoe\u0301=9", LineSettings("Zo\u00e9", (9,))),
    ],
)
def test_the_short_form_is_read(text: str, expected: LineSettings) -> None:
    """NAME=CHANNELS[:INSTRUMENTS]."""
    assert parse_line(text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Anna", 'a line is "Anna"; expected NAME=CHANNELS[:INSTRUMENTS], such as Anna=3:violin'),
        ("=3", 'name is ""; expected a text that is not empty'),
        ("all=3", 'name is "all"; expected 1 to 60 visible characters, and not all or each'),
        ("Anna=0", "channels is [0]; expected numbers from 1 to 256"),
        ("Anna=3,3", "channels is [3, 3]; expected each channel once"),
        ("Anna=8-5", 'channels is "8-5"; expected numbers such as 3, 5,6 or 5-8'),
        ("Anna=3:", 'instruments is []; expected a list of names such as ["violin"]'),
    ],
)
def test_what_is_no_line_is_told(text: str, told: str) -> None:
    """What was got, and what was expected."""
    with pytest.raises(ConfigError) as raised:
        parse_line(text)
    assert str(raised.value).startswith(told)


def test_tables_of_a_file_are_lines(tmp_path: Path) -> None:
    """Each with what is its own."""
    file = tmp_path / "soloist.toml"
    file.write_text(
        '[recognition]\ngate = -60\n\n[[line]]\nname = "Anna"\nchannels = [3]\ninstruments = ["violin"]\ngate = -50\n'
        'gain = 6\n\n[[line]]\nname = "Drums"\nchannels = [5, 6]\nthreshold = 0.5\n'
    )
    settings = load({}, {}, file)
    assert settings.recognition.gate == -60
    assert settings.lines == LinesSettings(
        (
            LineSettings("Anna", (3,), ("violin",), gate=-50.0, gain=6.0),
            LineSettings("Drums", (5, 6), threshold=0.5),
        )
    )


def test_flags_win_over_the_variable_and_that_over_the_file(tmp_path: Path) -> None:
    """As with all settings."""
    file = tmp_path / "soloist.toml"
    file.write_text('[[line]]\nname = "Anna"\nchannels = [3]\n')
    variables = {"SOLOIST_LINE": "Ben=4; Cleo=5:flute"}
    assert [it.name for it in load({}, {}, file).lines.lines] == ["Anna"]
    assert [it.name for it in load({}, variables, file).lines.lines] == ["Ben", "Cleo"]
    assert [it.name for it in load({"line": ["Dora=6"]}, variables, file).lines.lines] == ["Dora"]
    assert load({"line": ["each"]}, {}).lines.each
    assert not load({}, {}).lines


def test_faults_of_lines_are_told_with_their_place(tmp_path: Path) -> None:
    """All of them, each with the line on which its table begins."""
    file = tmp_path / "soloist.toml"
    file.write_text(
        '[[line]]\nname = "Anna"\nchannels = [3]\n\n[[line]]\nname = "Anna"\nchannels = [4]\n\n[[line]]\nname = "Ben"\n'
        'channel = 5\n\n[[line]]\nname = "Cleo"\nchannels = [5]\ngain = "loud"\n'
    )
    assert read({}, {}, file).problems == [
        f'{file}:6: "Anna" is the name of the line on line 1, too',
        f"{file}:9: the line has no channels; expected channels = [3], or several, counted from 1",
        f'{file}:11: unknown key "channel" in [[line]]; did you mean channels?',
        f'{file}:16: gain is "loud"; expected a number',
    ]
    assert read({"line": ["each", "Anna=3"]}, {}).problems == [
        "--line: each stands beside other lines; expected either"
    ]
    file.write_text("line = 3\n")
    assert read({}, {}, file).problems == [f"{file}:1: line is 3; expected tables of the form [[line]]"]


def test_what_the_model_does_not_know_is_told_with_the_line() -> None:
    """As for the line-up of the service; and a channel beside lines is of no use."""
    reading = read({"line": ["Anna=3:violine"], "channel": "2", "input": "demo"}, {})
    assert problems(reading) == [
        'line "Anna" names "violine", which model lead does not know; did you mean violin?',
        "--channel is 2; the source has 1",
    ]
    assert "--channel has no effect beside lines, which have channels of their own" in notes(reading)
    assert strays({"SOLOIST_LINE": "Anna=3"}) == []
    assert 'Anna" = [3]' in table(reading)
