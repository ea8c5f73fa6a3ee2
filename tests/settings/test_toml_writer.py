"""Settings that are written into a file, and what of it stays as somebody made it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.errors import ConfigError
from stream.settings.lines import LineSettings
from stream.settings.reading import read
from stream.settings.toml_writer import edited, write

EXAMPLE = Path(__file__).parents[2] / "docs" / "soloist.toml"
ANNA, BEN = LineSettings("Anna", (3,)), LineSettings("Ben", (4,), ("violin",), gain=6.0)


def test_what_changes_stands_below_the_comment_that_shows_it() -> None:
    """In the example a setting comes below its own line; nothing else is touched."""
    text = EXAMPLE.read_text()
    after = edited(text, {"gate": -50.0, "instruments": ("violin", "piano"), "device": None})
    assert after == text.replace("#gate = -70.0\n", "#gate = -70.0\ngate = -50.0\n").replace(
        '#instruments = ["violin", "piano"]\n',
        '#instruments = ["violin", "piano"]\ninstruments = ["violin", "piano"]\n',
    )
    assert edited(after, {"gate": -70.0, "instruments": None}) == text.replace(
        "#gate = -70.0\n", "#gate = -70.0\ngate = -70.0\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("gate = -60 # mine\r\n", "gate = -50.0 # mine\r\n"),  # as files of 0.1 have it
        ("\ufeff[recognition]\ngate=-60\n", "\ufeff[recognition]\ngate=-50.0\n"),
        ("[recognition]\ngate = -50\n", "[recognition]\ngate = -50\n"),  # it has that value
        ("recognition.gate = -60\n", "recognition.gate = -50.0\n"),
        ("recognition = {gate = -60, hop = 0.3}\n", "recognition = {gate = -50.0, hop = 0.3}\n"),
        (
            "[recognition]\nhop = 0.3\n\n# next\n[server]\n",
            "[recognition]\nhop = 0.3\ngate = -50.0\n\n# next\n[server]\n",
        ),
        ("[recognition]", "[recognition]\ngate = -50.0\n"),
        ("[server]\nport = 1", "[server]\nport = 1\n\n[recognition]\ngate = -50.0\n"),
        ("", "[recognition]\ngate = -50.0\n"),
    ],
)
def test_a_setting_is_written_where_the_file_has_it(before: str, after: str) -> None:
    """In its table, outside of tables, with dots, in braces, or in a table that is made."""
    assert edited(before, {"gate": -50.0}) == after


def test_lines_are_changed_added_and_taken_away() -> None:
    """Their tables keep comments and places; one with another name is known by its channels."""
    text = (
        '# left\n[[line]]\nname = "Anna" # who\nchannels = [3]\n\n# right\n[[line]]\nname="B"\n'
        "channels=[4]\n\n[server]\nport=1\n"
    )
    after = edited(text, {}, [LineSettings("Anna", (5, 6), gate=-40.0), BEN])
    assert after == (
        '# left\n[[line]]\nname = "Anna" # who\nchannels = [5, 6]\ngate = -40.0\n\n# right\n[[line]]\nname="Ben"\n'
        'channels=[4]\ninstruments = ["violin"]\ngain = 6.0\n\n[server]\nport=1\n'
    )
    assert edited(after, {}, [ANNA]).count("[[line]]") == 1
    assert edited(after, {}, []) == "# left\n[server]\nport=1\n"
    assert edited("[server]\nport=1\n", {}, [ANNA]) == ('[server]\nport=1\n\n[[line]]\nname = "Anna"\nchannels = [3]\n')
    inline = edited('line = [{name = "Anna", channels = [3]}]\n', {}, [ANNA, BEN])
    assert [line["name"] for line in tomllib.loads(inline)["line"]] == ["Anna", "Ben"]


LINES = st.lists(
    st.builds(
        LineSettings,
        name=st.sampled_from(["Anna", "Ben", "C # d", 'E "f"']),
        channels=st.sampled_from([(1,), (2,), (3, 4)]),
        instruments=st.sampled_from([None, ("violin",), ("violin", "piano")]),
        gate=st.sampled_from([None, -50.0]),
        gain=st.sampled_from([0.0, 6.0]),
        threshold=st.sampled_from([None, 0.5]),
    ),
    max_size=4,
    unique_by=lambda line: line.name,
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "gate": st.sampled_from([-70.0, -50.0]),
        "instruments": st.sampled_from([None, ("violin",)]),
        "model": st.sampled_from(["lead", "small"]),
        "device": st.sampled_from([None, "USB Audio"]),
        "threshold": st.sampled_from([None, 0.25]),
    },
)


@settings(max_examples=20, deadline=None)  # the example is long, and tomlkit slow
@given(st.lists(st.tuples(VALUES, LINES), min_size=1, max_size=4))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    """After any changes, one after the other, the file says what was written last of each."""
    path = tmp_path_factory.mktemp("any") / "soloist.toml"
    text, told = EXAMPLE.read_text(), {}
    for values, lines in steps:
        text = edited(text, values, lines)
        told |= values
        path.write_text(text)
        reading = read({}, {}, path)
        assert reading.problems == []
        assert {line.name: line for line in reading.lines.lines} == {line.name: line for line in lines}
        assert {name: reading.values.get(name) for name in told} == told


def test_a_file_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    """The file that a link names is replaced, with the mode that it has, and nothing is left beside it."""
    target, link = tmp_path / "real.toml", tmp_path / "soloist.toml"
    target.write_text("gate = -60\n")
    target.chmod(0o640)
    link.symlink_to("real.toml")
    write(link, {"gate": -50.0})
    assert target.read_text() == "gate = -50.0\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [target, link]


def test_a_file_that_cannot_be_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in one line: no such folder, a disk that is full, a file that would be too long, no TOML."""
    file = tmp_path / "soloist.toml"
    with pytest.raises(ConfigError, match=r"soloist\.toml cannot be written: No such file"):
        write(file, {"gate": -50.0})
    file.write_text("gate = \n")
    with pytest.raises(ConfigError, match=r"soloist\.toml cannot be changed: "):
        write(file, {"gate": -50.0})
    file.write_text("# long\n" + "#" * 16_370 + "\n")
    with pytest.raises(ConfigError, match="longer than the 16384 bytes"):
        write(file, {"gate": -50.0})
    file.write_text("gate = -60\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        write(file, {"gate": -50.0})
    assert file.read_text() == "gate = -60\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_service_loads_nothing_that_writes() -> None:
    """What it takes to write TOML is imported when something is written, and not before."""
    code = "import sys, stream.service.service, stream.service.tried_settings; print('tomlkit' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
