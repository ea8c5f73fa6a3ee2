"""Settings from flags, variables and a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.config import Settings, load
from stream.errors import ConfigError


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    """Each setting comes from the first of flags, variables, file and default that has it."""
    file = tmp_path / "soloist.toml"
    file.write_text('port = 1\nhost = "a"\nhop = 1\ninstruments = ["violin"]\n')
    settings = load({"port": 3}, {"SOLOIST_PORT": "2", "SOLOIST_HOST": "b", "OTHER": "x"}, file)
    assert settings == Settings(port=3, host="b", hop=1.0, instruments=("violin",))


def test_variables_are_read_by_the_type_of_their_setting() -> None:
    """Numbers, switches and lists are written as one would expect."""
    variables = {
        "SOLOIST_CHANNEL": "2",
        "SOLOIST_GATE": "-50",
        "SOLOIST_WAIT": "yes",
        "SOLOIST_LOOP": "0",
        "SOLOIST_INSTRUMENTS": "violin, tenor saxophone",
        "SOLOIST_DEVICE": "USB",
    }
    settings = load({}, variables)
    assert settings == Settings(
        channel=2, gate=-50.0, wait=True, instruments=("violin", "tenor saxophone"), device="USB"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "unknown setting 'prot'"),
        ('port = "x"', "port is 'x'; expected a whole number"),
        ("port = true", "port is True; expected a whole number"),
        ("port = 70000", "port is 70000; expected 0 to 65535"),
        ("wait = 1", "wait is 1; expected true or false"),
        ('runtime = "onnx"', "runtime is 'onnx'; expected auto or litert or tflite"),
        ("instruments = [1]", "expected a list of texts"),
        ("port = ", "Invalid value"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """What is wrong in the file is named with its value and what was expected."""
    file = tmp_path / "soloist.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load({}, {}, file)


def test_a_variable_that_cannot_be_used_is_named() -> None:
    """What is wrong in the environment is named by its variable."""
    with pytest.raises(ConfigError, match="SOLOIST_PORT is 'many'; expected a whole number"):
        load({}, {"SOLOIST_PORT": "many"})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is an error, not an empty one."""
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load({}, {}, tmp_path / "none.toml")
