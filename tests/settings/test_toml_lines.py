"""Where the statements of a TOML text stand."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.settings.toml_lines import Statement, StatementError, TableLines, parse


def test_each_key_is_found_on_its_line() -> None:
    """Comments, quoted and dotted keys, and values of several lines do not confuse the count."""
    text = (
        '# port = 1\r\n\r\nport = 2\n"host" = "a # b"\ninstruments = [ # ] """\n  "x = 1",\n\n  "]",\n]\n'
        'device = """\nport = 3\n]\n"""\na.b = 1\na.c = 2\n[t]\nwait = 1\n[[u]]\nwait = 2\n[ "v" . w ]\n\tgate = 5'
    )
    assert parse(text) == {
        "port": Statement(3, 2),
        "host": Statement(4, "a # b"),
        "instruments": Statement(5, ["x = 1", "]"]),
        "device": Statement(10, "port = 3\n]\n"),
        "a": Statement(14, {"b": 1, "c": 2}, {"b": 14, "c": 15}),
        "t": Statement(16, {"wait": 1}, {"wait": 17}),
        "u": Statement(18, [{"wait": 2}], tables=(TableLines(18, {"wait": 19}),)),
        "v": Statement(20, {"w": {"gate": 5}}, {"w": 20}),
    }


def test_each_of_several_tables_of_a_name_is_found_on_its_line() -> None:
    """So are its keys, on lines of their own, in other tables between them, or all in one value."""
    text = "[[a]]\nx = 1\n[b]\nx = 1\n[[a]]\n[[a]] # third\ny = [\n 1]\nz.w = 2\n[a.v]\nx = 1\n[[c.d]]\nx = 1\n"
    found = parse(text)
    assert found["a"].tables == (TableLines(1, {"x": 2}), TableLines(5), TableLines(6, {"y": 7, "z": 9, "v": 10}))
    assert found["b"].tables == found["c"].tables == ()
    assert parse("\na = [{ x = 1 },\n{ y = 2 }]")["a"].tables == (TableLines(2, {"x": 2}), TableLines(2, {"y": 2}))


def test_each_key_of_a_table_is_found_on_its_line() -> None:
    """However a table is written, in one place or several, its keys have the lines on which they begin."""
    text = (
        '[a] # [b]\nx = [\n 1,\n]\n\'y z\' = 2\n[ a.deep ]\nx = 3\n[b]\n[c]\nx = """\n[b]\ny = 1\n"""\ny.z = 1\n'
        "y.x = 2\n[d]\ne = { x = 1, y = 2 }\n"
    )
    found = parse("f = { x = 1, y = [\n2] }\n" + text)
    assert {key: (statement.line, statement.lines) for key, statement in found.items()} == {
        "f": (1, {"x": 1, "y": 1}),
        "a": (3, {"x": 4, "y z": 7, "deep": 8}),
        "b": (10, {}),
        "c": (11, {"x": 12, "y": 16}),
        "d": (18, {"e": 19}),
    }


@pytest.mark.parametrize(
    ("text", "line", "reason", "path", "value"),
    [
        ("\nwait = True\n", 2, "Invalid value (column 8)", ("wait",), "True"),
        ("a = 1\n\na = 2", 3, "it is already set on line 1", ("a",), None),
        ("a = 1\nb = '''\n\n\n", 2, "before the end of the file", ("b",), "'''"),
        ("a = [\n 1,\n b = 2\n]", 3, "(column 2)", ("a",), "["),
        ("port 9000", 1, "Expected '='", (), None),
        (f"a = 1\nb = {'[' * 5000}", 2, "nested too deeply", ("b",), "[" * 5000),
        (f"a = 1\nb = {'9' * 5000}", 2, "Exceeds the limit", ("b",), "9" * 5000),
        ("[t]\nport = x", 2, "Invalid value (column 8)", ("t", "port"), "x"),
        ("[t]\n[u.v]\n\n a.b = x", 4, "Invalid value", ("u", "v", "a", "b"), "x"),
        ("[[t]]\na = 1\n[[t]]\na = x", 4, "Invalid value", ("t", "a"), "x"),
        ("[t]\na = 1\nb = 1\na = 2", 4, "it is already set on line 2", ("t", "a"), None),
        ("[t]\na = 1\n[u]\n[t]\nb = 1", 4, "[t] already stands on line 1", (), None),
        (
            "t = 1\n[t]",
            2,
            "t is set outside of tables on line 1: move it into this table, as soloist config example has it",
            (),
            None,
        ),
        ("[t]\na = [\n\n", 2, "before the end of the file", ("t", "a"), "["),
        ("a = 1\nb = [\n" + "1,\n" * 200 + "]", 2, "a value of more than 100 lines", (), None),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(
    text: str, line: int, reason: str, path: tuple[str, ...], value: str | None
) -> None:
    """The error has the line, the reason, and the statement so far as it looks like one."""
    with pytest.raises(StatementError) as caught:
        parse(text)
    error = caught.value
    assert (error.line, error.path, error.value) == (line, path, value)
    assert reason in error.reason


KEYS = st.text("ab_", min_size=1, max_size=3)
TEXTS = st.text('x"\\]\n# =', max_size=8)
VALUES = st.integers() | st.booleans() | TEXTS | st.lists(TEXTS, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, int], dict[str, dict[str, int]]]:
    """A valid text, the line of each key at its top, and of each in its tables."""
    text, lines = draw(statements(""))
    inner: dict[str, dict[str, int]] = {key: {} for key in lines}
    for key in draw(st.lists(KEYS.filter(lambda it: it not in lines), max_size=3, unique=True)):
        lines[key] = text.count("\n") + 1
        text += f"{draw(st.sampled_from(['', ' ']))}[{key}]{draw(st.sampled_from(['', ' # [x]']))}\n"
        text, inner[key] = draw(statements(text))
    return text, lines, inner


@st.composite
def statements(draw: st.DrawFn, text: str) -> tuple[str, dict[str, int]]:
    """A text with statements at its end, and the line of each key of them."""
    lines: dict[str, int] = {}
    for key, value in draw(st.dictionaries(KEYS, VALUES, max_size=6)).items():
        text += draw(st.sampled_from(["", "\n", "# a = [\n", "\r\n", "  # '''\n"]))
        lines[key] = text.count("\n") + 1
        text += f"{key} = {written(draw, value)}{draw(st.sampled_from(['', ' # ]', ' #' + chr(34) * 3]))}\n"
    return text, lines


def written(draw: st.DrawFn, value: Any) -> str:
    """A value in one of the ways in which TOML writes it."""
    if isinstance(value, list):
        gap = draw(st.sampled_from(["", "\n", " # ]\n", "\n\n"]))
        return "[" + gap + "".join(f"{written(draw, item)}{gap},{gap}" for item in value) + "]"
    if isinstance(value, str):
        if "'" not in value and draw(st.booleans()):
            return f"'''\n{value}'''"
        return json.dumps(value)
    return str(value).lower()


@given(documents())
def test_every_valid_text_is_read_as_tomllib_reads_it(
    document: tuple[str, dict[str, int], dict[str, dict[str, int]]],
) -> None:
    """Whatever the values hold, they are tomllib's, and the lines are where the keys were written."""
    text, lines, inner = document
    found = parse(text)
    assert {key: statement.value for key, statement in found.items()} == tomllib.loads(text)
    assert {key: statement.line for key, statement in found.items()} == lines
    assert {key: statement.lines for key, statement in found.items()} == inner


@settings(max_examples=500)
@given(st.text("ab=[]{}.,\"'\\\n\r# 01tfx\x00é", max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """What tomllib reads is read with lines that exist, and all else is a StatementError."""
    try:
        expected = tomllib.loads(text)
    except ValueError:
        with pytest.raises(StatementError) as caught:
            parse(text)
        assert 1 <= caught.value.line <= text.count("\n") + 1
    else:
        found = parse(text)
        assert {key: statement.value for key, statement in found.items()} == expected
        last = text.count("\n") + 1
        for statement in found.values():
            assert all(1 <= line <= last for line in (statement.line, *statement.lines.values()))
            assert list(statement.lines) == (list(statement.value) if isinstance(statement.value, dict) else [])
