"""What is installed where: the markers of the dependencies."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def required(machine: str, python: str) -> dict[str, Requirement]:
    """Return what is installed on a machine."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    environment = {"platform_machine": machine, "python_version": python}
    requirements = map(Requirement, project["dependencies"])
    return {it.name: it for it in requirements if it.marker is None or it.marker.evaluate(environment)}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_a_64_bit_machine_gets_litert_and_any_numpy(machine: str, python: str) -> None:
    """On 64 bits the interpreter is ai-edge-litert, and numpy is the newest."""
    found = required(machine, python)
    assert "ai-edge-litert" in found
    assert "tflite-runtime" not in found
    assert "2.4" in found["numpy"].specifier


@pytest.mark.parametrize("machine", ["armv7l", "armv8l"])
def test_32_bit_arm_gets_tflite_runtime_and_a_numpy_that_it_works_with(machine: str) -> None:
    """On 32 bits, also of a 64 bit processor, it is tflite-runtime, with a numpy before 2."""
    found = required(machine, "3.11")
    assert "tflite-runtime" in found
    assert "ai-edge-litert" not in found
    assert "1.24.2" in found["numpy"].specifier
    assert "1.26.4" in found["numpy"].specifier
    assert "2.0" not in found["numpy"].specifier


def test_32_bit_arm_has_no_interpreter_for_later_pythons() -> None:
    """What has no wheel is not asked for: the command says which interpreter is missing."""
    assert not {"tflite-runtime", "ai-edge-litert"} & set(required("armv7l", "3.13"))
