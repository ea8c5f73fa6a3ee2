"""What programs import from `stream`: names, what they cost, and the examples of the documentation."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import stream
from stream.recognition.mel import SAMPLE_RATE, Array

ROOT = Path(__file__).parents[1]


def test_all_that_is_promised_is_there() -> None:
    """Every public name is the object of its own module, and there are no others."""
    from stream.client import Client
    from stream.recognition.recognizer import Recognizer
    from stream.service.offline import classify

    assert (stream.Client, stream.Recognizer, stream.classify) == (Client, Recognizer, classify)
    assert dir(stream) == ["Client", "Recognizer", "__version__", "classify"]
    with pytest.raises(AttributeError, match="has no attribute 'Klient'"):
        stream.Klient  # noqa: B018 - it is asked for


def test_a_name_costs_only_what_it_needs() -> None:
    """Importing the package imports nothing heavy, and a client none of the recognition."""
    program = (
        "import sys, json, stream; first = set(sys.modules); from stream import Client; "
        "print(json.dumps([sorted(first), sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    package, client = (set(names) for names in json.loads(done.stdout))
    assert not package & {"numpy", "asyncio", "websockets", "soundfile"}
    assert "websockets" in client
    assert not client & {"numpy", "soundfile", "ai_edge_litert", "stream.recognition.recognizer"}


def test_the_recognizer_hears_with_the_shipped_model(demo: Array) -> None:
    """Without a classifier, the default model is loaded."""
    recognizer = stream.Recognizer()
    labels = {result.estimate.label for result in recognizer.feed(demo[: 6 * SAMPLE_RATE])}
    assert "piano" in labels


def test_old_paths_go_on() -> None:
    """Programs of version 0.1 find the messages where they were."""
    import stream.messages as old
    from stream.protocol import check, encoding
    from stream.protocol import messages as new

    text = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in (new, check))
    names = re.findall(r"^class (\w+)", text, re.MULTILINE)
    assert len(names) > 10
    assert all(
        getattr(old, name) is getattr(new, name, getattr(check, name, None))
        for name in [*names, "Message", "State", "PROTOCOL"]
    )
    assert all(getattr(old, name) is getattr(encoding, name) for name in ["decode", "encode", "encode_history"])
    assert set(old.__all__) == {*names, "Message", "State", "PROTOCOL", "decode", "encode", "encode_history"}
