"""Names in one Unicode form, and several of them in one text, commas and all."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.system.names import in_one_form, join_names, split_names, with_commas

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=8).map(
    in_one_form
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        (" , ,", ()),
        ("violin", ("violin",)),
        (" tenor saxophone , flute,", ("tenor saxophone", "flute")),
        ('"guitar, distorted", violin', ("guitar, distorted", "violin")),
        ('violin,"guitar, distorted"', ("violin", "guitar, distorted")),
        ('"the ""one"", two"', ('the "one", two',)),
        ('7" single,"a" b', ('7" single', '"a" b')),
        ('"open, end', ('"open', "end")),
        ("flo\u0308te", ("fl\u00f6te",)),
    ],
)
def test_names_are_read(text: str, names: tuple[str, ...]) -> None:
    """Commas part names, except in double quotes; what is no proper quotation is taken as it is."""
    assert split_names(text) == names


@given(st.lists(NAMES))
def test_names_are_read_as_they_are_written(names: list[str]) -> None:
    """Whatever is in names, they are the same when they were written and read."""
    assert split_names(join_names(names)) == tuple(names)


@given(st.lists(NAMES, min_size=1, unique=True))
def test_names_that_were_split_are_put_together(known: list[str]) -> None:
    """Names with commas that were written without quotes are found again among those that are known."""
    pieces = [piece for name in known for piece in split_names(name.replace('"', "'"))]
    known = [name.replace('"', "'") for name in known]
    assert set(with_commas(pieces, known)) <= {*pieces, *known}
    plain = [name for name in known if "," not in name]
    assert with_commas(plain, known) == tuple(plain)


def test_name_with_a_comma_needs_no_quotes_where_it_is_known() -> None:
    """The longest known name counts, and what is not known stays as it was."""
    known = ["guitar", "guitar, distorted", "guitar, distorted, loud", "violin"]
    for pieces, names in (
        (("guitar", "distorted", "violin"), ("guitar, distorted", "violin")),
        (("guitar", "violin"), ("guitar", "violin")),
        (("violin", "guitar", "distorted", "loud"), ("violin", "guitar, distorted, loud")),
        (("distorted", "guitar"), ("distorted", "guitar")),
        (("guitar, distorted",), ("guitar, distorted",)),
    ):
        assert with_commas(pieces, known) == names


def test_letters_with_accents_are_one_character() -> None:
    """What macOS writes as two characters is the same name."""
    assert in_one_form(unicodedata.normalize("NFD", "Flöte é ñ")) == "Flöte é ñ"
