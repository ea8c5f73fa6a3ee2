"""A model file is somebody else's data: whatever it holds, there is one line of text, and the program goes on.

With SOLOIST_FUZZ=100 a hundred times as many cases are tried.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from stream.errors import ModelError
from stream.recognition import bundle, sandbox, tflite_file
from stream.recognition.bundle import Bundle
from stream.recognition.classifier import Classifier
from stream.recognition.flatbuffer import Table
from tests.service.test_reload import gapless, is_hello, names, reload, told
from tests.support import tiny
from tests.support.damage import MORE, damaged
from tests.support.processes import serving
from tests.support.serving import check

RESIDUAL = bundle.load("residual")
TINY = bundle.load(tiny.INTEGER)

texts = st.text(max_size=30) | st.sampled_from(
    ["", "unknown", "violin", "../../etc/passwd", "\ud800", "a\nb", "x" * 999]
)
numbers = st.integers() | st.floats() | st.sampled_from([10**4000, -(10**300), 2**63, 1e308, float("nan"), True])
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the models of this file lie, one after the other."""
    return tmp_path_factory.mktemp("untrusted")


def write(
    folder: Path, model: bytes, info: dict[str, Any] | bytes | None = None, sound: dict[str, Any] = RESIDUAL.info
) -> Path:
    """A bundle that is sound but for some keys of its json, with the right digest: the path of its .tflite."""
    path = folder / "mine.tflite"
    path.write_bytes(model)
    if not isinstance(info, bytes):
        digest = hashlib.sha256(model).hexdigest()
        info = json.dumps(sound | {"sha256": digest} | (info or {})).encode()
    path.with_suffix(".json").write_bytes(info)
    return path


def refusal(path: Path) -> str | None:
    """What loading a bundle says: a short line, or nothing where it is in order. Any other exception is a failure."""
    try:
        loaded = bundle.load(path)
    except ModelError as error:
        text = str(error)
        assert len(text) < 800
        assert "\n" not in text
        return text
    assert all(label.isprintable() for label in loaded.labels)
    return None


@settings(max_examples=90 * MORE)
@given(sound=st.sampled_from([RESIDUAL, TINY, TINY]), data=st.data(), value=anything)
def test_any_value_under_any_key(folder: Path, sound: Bundle, data: st.DataObject, value: object) -> None:
    """Whatever a key holds, in either format, the bundle is loaded, or refused in one short line for people."""
    key = data.draw(st.sampled_from([*sound.info, "extra"]))
    path = write(folder, sound.model, {key: value}, sound.info)
    if refusal(path) is None:
        assert bundle.load(path).model == sound.model


@settings(max_examples=70 * MORE)
@given(
    place=st.sampled_from(
        [("calibration", key) for key in ("temperature", "threshold", "known")]
        + [("outputs", key) for key in ("instruments", "tags", "embedding", "mood")]
        + [("smoothing", key) for key in ("time_constant", "floor", "known_floor", "speed")]
        + [("features", key) for key in ("front_end", "n_mels", "extra")]
    ),
    value=anything | st.dictionaries(st.sampled_from([*TINY.instruments, "kazoo"]), anything),
)
def test_any_value_in_any_part(folder: Path, place: tuple[str, str], value: object) -> None:
    """No number gets through that is not within its bounds, and no name that is none."""
    part, key = place
    path = write(folder, TINY.model, {part: TINY.info.get(part, {}) | {key: value}}, TINY.info)
    if refusal(path) is None:
        loaded = bundle.load(path)
        assert 0.01 <= loaded.temperature <= 100
        assert all(0 <= number <= 1 for number in (loaded.known, *loaded.thresholds))
        assert 0.01 <= loaded.smoothing.time_constant <= 10
        assert 0 <= loaded.smoothing.floor <= 1
        assert loaded.outputs is not None
        assert all(name.isprintable() for _, name in loaded.outputs.named())


@settings(max_examples=60 * MORE)
@given(labels=st.lists(texts, max_size=12) | st.integers(0, 5_000).map(lambda n: [f"label {i}" for i in range(n)]))
def test_any_labels(folder: Path, labels: list[str]) -> None:
    """Labels that are odd, twice there or thousands are refused or fit to be shown."""
    path = write(folder, RESIDUAL.model, {"labels": labels, "calibration": {"temperature": 1.0, "threshold": 0.5}})
    if refusal(path) is None:
        assert bundle.load(path).labels == tuple(labels)
        assert len(labels) <= 512


@settings(max_examples=60 * MORE)
@given(seed=st.integers(0, 1 << 32))
def test_a_damaged_json(folder: Path, seed: int) -> None:
    """Bytes that were changed at random make a json that is refused or still in order."""
    path = write(folder, RESIDUAL.model, damaged(json.dumps(RESIDUAL.info).encode(), seed))
    if refusal(path) is None:
        assert bundle.load(path).model == RESIDUAL.model


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": 1, "name": ' + b"[" * 990 + b"]" * 990 + b"}",
        b'{"temperature": ' + b"9" * 100_000 + b"}",
        b'{"format": NaN}',
        b"\xff\xfe\x00",
        b"\x00" * 1000,
        b"",
    ],
    ids=["lists", "objects", "nested name", "long number", "NaN", "half a letter", "zeros", "nothing"],
)
def test_a_hostile_json(folder: Path, content: bytes) -> None:
    """What is made to hurt a parser is refused like anything else."""
    assert refusal(write(folder, RESIDUAL.model, content)) is not None


@pytest.mark.parametrize("suffix", [".json", ".tflite"])
@pytest.mark.parametrize("kind", ["a gigabyte", "a pipe", "a device", "a folder"])
def test_a_file_that_is_no_model_is_not_read(tmp_path: Path, suffix: str, kind: str) -> None:
    """Neither file is read where it is longer than any model, never ends, or waits for a writer."""
    path = write(tmp_path, RESIDUAL.model)
    file = path.with_suffix(suffix)
    file.unlink()
    if kind == "a gigabyte":
        with file.open("wb") as sparse:
            sparse.truncate(1 << 30)
    elif kind == "a pipe":
        os.mkfifo(file)
    elif kind == "a device":
        file.symlink_to("/dev/zero")
    else:
        file.mkdir()
    said = refusal(path)
    assert said is not None
    assert {"a gigabyte": "MiB", "a folder": "directory"}.get(kind, "not a file") in said


@pytest.mark.parametrize(
    "name", ["../small", "/etc/passwd", "small\0", "", ".", "small\0.tflite", "x" * 5000 + ".json"]
)
def test_a_name_cannot_lead_elsewhere(name: str) -> None:
    """A name is one of those that are shipped, whatever it looks like."""
    with pytest.raises(ModelError):
        bundle.load(name)


def structure_refusal(content: bytes) -> str:
    """What the check of a model's structure says, nothing where it is in order."""
    try:
        tflite_file.check_structure(content)
    except ModelError as error:
        return str(error)
    return ""


@settings(max_examples=300 * MORE)
@given(seed=st.integers(0, 1 << 32))
def test_claims_of_a_damaged_tflite(seed: int) -> None:
    """Reading what a damaged file says of itself ends well, or with a refusal in one line."""
    said = structure_refusal(damaged(RESIDUAL.model, seed))
    assert len(said) < 800
    assert "\n" not in said


def test_every_number_of_the_structure_is_looked_at() -> None:
    """Where nothing but structure lies, most damage to one number is refused, and all of it is read to an end."""
    start = buffers_end(RESIDUAL.model)
    places = range(start, len(RESIDUAL.model) - 4, 28)
    refused = 0
    for at in places:
        content = bytearray(RESIDUAL.model)
        content[at : at + 4] = b"\xff\xff\xff\x7f"
        refused += structure_refusal(bytes(content)) != ""
    assert refused > len(places) / 2


def buffers_end(model: bytes) -> int:
    """Where the contents of the tensors end in a model of ours, and the description of the graph begins."""
    return max(sum(buffer.content(0)) for buffer in Table.root(model).tables(4)[:25])


@settings(max_examples=100 * MORE)
@given(content=st.binary(max_size=400))
def test_claims_of_anything(content: bytes) -> None:
    """Neither do bytes that never were a model."""
    with pytest.raises(ModelError):
        tflite_file.check_structure(content[:4] + b"TFL3" + content[4:])


@pytest.mark.parametrize("name", bundle.shipped_names())
def test_shipped_models_would_pass(name: str) -> None:
    """The shipped models claim nothing that is refused, though cut off anywhere they would be."""
    model = bundle.load(name).model
    tflite_file.check_structure(model)
    for content in (TINY.model, tiny.REAL.read_bytes()):
        tflite_file.check_structure(content)
    for length in range(0, len(model), len(model) // 50):
        with pytest.raises(ModelError):
            tflite_file.check_structure(model[:length])


class Surgeon:
    """Changes numbers in a copy of `residual`, or of another, where they lie."""

    def __init__(self, model: bytes = RESIDUAL.model) -> None:
        self.model = bytearray(model)
        self.root = Table.root(model)
        self.graph = self.root.tables(2)[0]
        self.tensors, self.operators = self.graph.tables(0), self.graph.tables(3)

    def scalar(self, table: Table, field: int, form: str, value: float) -> None:
        """Set a field that is there."""
        assert table._at(field)
        struct.pack_into("<" + form, self.model, table._at(field), value)

    def element(self, table: Table, field: int, index: int, value: float, form: str = "i") -> None:
        """Set an element of a list."""
        at, length = table._list(field, struct.calcsize(form))
        assert index < length
        struct.pack_into("<" + form, self.model, at + index * struct.calcsize(form), value)

    def length(self, table: Table, field: int, value: int) -> None:
        """Set how long a list says that it is."""
        struct.pack_into("<I", self.model, table._target(field), value)

    def operator(self, code: int) -> Table:
        """Find the first operator of a kind."""
        codes = [max(it.scalar(0, "b"), it.scalar(3, "i")) for it in self.root.tables(1)]
        return next(it for it in self.operators if codes[it.scalar(0, "I")] == code)

    def options(self, code: int) -> Table:
        """Find the options of the first operator of a kind."""
        options = self.operator(code).table(4)
        assert options is not None
        return options

    def quantization(self, tensor: int) -> Table:
        """Find the scales of a tensor."""
        quantization = self.tensors[tensor].table(4)
        assert quantization is not None
        return quantization


CONVOLUTION, DENSE, MUL = 3, 9, 18
WEIGHTS, ACTIVATION = 7, 26  # tensors of `residual`
DAMAGE: dict[str, tuple[Callable[[Surgeon], None], str]] = {
    "version": (lambda it: it.scalar(it.root, 0, "I", 4), "of version 4"),
    "no graph": (lambda it: it.length(it.root, 2, 0), "has 0 graphs"),
    "custom operator": (
        lambda it: [it.scalar(it.root.tables(1)[0], field, form, 32) for field, form in ((0, "b"), (3, "i"))],
        "operator that is refused: a custom one",
    ),
    "unknown operator": (lambda it: it.scalar(it.root.tables(1)[0], 3, "i", 999), "TFLite's number 999"),
    "operator of no kind": (lambda it: it.scalar(it.operators[-1], 0, "I", 99), "an operator of no kind"),
    "unknown type": (lambda it: it.scalar(it.tensors[0], 1, "b", 99), "of TFLite's type 99"),
    "no buffer": (lambda it: it.scalar(it.tensors[WEIGHTS], 2, "I", 1_000_000), "without a buffer"),
    "other buffer": (lambda it: it.scalar(it.tensors[WEIGHTS], 2, "I", 2), "tensor of 7776 bytes with a buffer of 4"),
    "larger than its buffer": (lambda it: it.element(it.tensors[WEIGHTS], 0, 1, 10), "with a buffer of 7776"),
    "gigabytes": (
        lambda it: [it.element(it.tensors[0], field, n, 2000) for n in range(4) for field in (0, 7)],
        r"tensors of 1.6e\+13 numbers",
    ),
    "no size": (lambda it: it.element(it.tensors[0], 0, 1, 0), "shape that cannot be"),
    "negative size": (lambda it: it.element(it.tensors[0], 0, 1, -1), "shape that cannot be"),
    "two shapes": (lambda it: it.element(it.tensors[0], 7, 1, 64), "two shapes"),
    "long list": (lambda it: it.length(it.tensors[0], 0, 1 << 31), "list of 2147483648"),
    "list to outside": (lambda it: it.length(it.root, 2, 2000), "points outside itself"),
    "scales": (lambda it: it.length(it.quantization(WEIGHTS), 2, 31), "31 scales and 96 zero points"),
    "no scale": (lambda it: it.element(it.quantization(WEIGHTS), 2, 0, 0.0, "f"), "no positive number"),
    "NaN": (lambda it: it.element(it.quantization(WEIGHTS), 2, 0, float("nan"), "f"), "no positive number"),
    "zero point": (lambda it: it.element(it.quantization(0), 3, 0, 128, "q"), "zero point that it cannot have"),
    "dimension": (lambda it: it.scalar(it.quantization(WEIGHTS), 6, "i", 4), "dimension that it does not have"),
    "another dimension": (lambda it: it.scalar(it.quantization(WEIGHTS), 6, "i", 1), "of 9 channels has 96 scales"),
    "scales too far apart": (lambda it: it.element(it.quantization(0), 2, 0, 1e30, "f"), "scales too far apart"),
    "no such tensor": (lambda it: it.element(it.operator(CONVOLUTION), 1, 0, 42), "takes what is not there"),
    "tensor -1": (lambda it: it.element(it.operator(CONVOLUTION), 1, 1, -1), "takes what is not there"),
    "tensor -2": (lambda it: it.element(it.operator(CONVOLUTION), 1, 2, -2), "takes what is not there"),
    "too few inputs": (lambda it: it.length(it.operator(MUL), 1, 1), "mul has 1 inputs"),
    "no output": (lambda it: it.length(it.operator(MUL), 2, 0), "mul has 0 outputs"),
    "output nowhere": (lambda it: it.element(it.operator(MUL), 2, 0, 9999), "makes no tensor"),
    "made of itself": (lambda it: it.element(it.operator(MUL), 1, 0, 24), "takes what is not there"),
    "made of what comes later": (lambda it: it.element(it.operator(MUL), 1, 0, 41), "takes what is not there"),
    "made twice": (lambda it: it.element(it.operator(DENSE), 2, 0, ACTIVATION), "makes what is there already"),
    "made of a constant": (lambda it: it.element(it.operator(DENSE), 2, 0, WEIGHTS), "makes what is there already"),
    "constant input": (lambda it: it.element(it.graph, 1, 0, WEIGHTS), "input is a constant"),
    "input for output": (lambda it: it.element(it.graph, 2, 0, 0), "nothing makes its output"),
    "no stride": (lambda it: it.scalar(it.options(CONVOLUTION), 1, "i", 0), "options that it cannot have"),
    "no dilation": (lambda it: it.scalar(it.options(CONVOLUTION), 2, "i", -2), "options that it cannot have"),
    "other options": (lambda it: it.scalar(it.operator(CONVOLUTION), 3, "B", 5), "options that it cannot have"),
    "no options": (lambda it: it.scalar(it.operator(CONVOLUTION), 3, "B", 0), "options that it cannot have"),
    "weights of others": (lambda it: it.element(it.operator(CONVOLUTION), 1, 1, 9), "weights that do not fit"),
    "bias of others": (lambda it: it.element(it.operator(CONVOLUTION), 1, 2, 6), "bias that does not fit"),
    "signature": (lambda it: it.scalar(it.root.tables(7)[0].tables(1)[0], 1, "I", 42), "names no tensor"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_structural_damage_is_refused(kind: str) -> None:
    """Each claim that cannot be, or that no classifier makes, is refused with its reason, before an interpreter."""
    damage, said = DAMAGE[kind]
    patient = Surgeon()
    damage(patient)
    with pytest.raises(ModelError, match=said):
        tflite_file.check_structure(bytes(patient.model))


OUTPUTS: dict[str, tuple[Callable[[Surgeon], None], str]] = {
    "none": (lambda it: it.length(it.graph, 2, 0), "has 0 outputs; expected at most 8 different ones"),
    "too many": (lambda it: it.length(it.graph, 2, 9), "expected at most 8 different ones|points outside itself"),
    "twice": (
        lambda it: it.element(it.graph, 2, 1, it.graph.integers(2)[0]),
        "has 3 outputs; expected at most 8 different ones",
    ),
    "nowhere": (lambda it: it.element(it.graph, 2, 2, 9999), "its outputs are no tensors"),
    "the input": (lambda it: it.element(it.graph, 2, 1, it.graph.integers(1)[0]), "nothing makes its output"),
    "a constant": (
        lambda it: it.element(it.graph, 2, 1, it.operator(DENSE).integers(1)[1]),
        "nothing makes its output",
    ),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_damage_to_several_outputs_is_refused(kind: str) -> None:
    """Each of several outputs has to be made by the model, and be another one."""
    damage, said = OUTPUTS[kind]
    patient = Surgeon(TINY.model)
    damage(patient)
    with pytest.raises(ModelError, match=said):
        tflite_file.check_structure(bytes(patient.model))


def served(model: bytes) -> Bundle:
    """A bundle of the small model's labels around another .tflite."""
    return Bundle(
        "mine", model, RESIDUAL.labels, RESIDUAL.channels, RESIDUAL.temperature, RESIDUAL.thresholds, RESIDUAL.info
    )


def test_a_damaged_model_reaches_no_interpreter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged .tflite with the right digest is refused by its own name, and no process is started for it."""
    monkeypatch.setattr(subprocess, "run", None)
    for content in (RESIDUAL.model[:20_000], RESIDUAL.model[:8] + bytes(1000), b"not a model", b""):
        path = write(folder, content)
        with pytest.raises(ModelError, match=f"model {path}: the .tflite") as caught:
            Classifier(bundle.load(path))
        assert "\n" not in str(caught.value)


@pytest.mark.slow
async def test_damaged_models_at_a_reload(tmp_path: Path) -> None:
    """A running service refuses each in one line, hears and tells on without a gap, and takes a sound one then."""
    file = tmp_path / "soloist.toml"
    file.write_text("")
    async with (
        serving("--input", "demo", "--config", str(file)) as service,
        asyncio.timeout(60),
        connect(f"ws://{service.address}/ws") as client,
    ):
        messages = await told(client, names)
        known = len(list(filter(is_hello, messages)))
        for number, (content, info) in enumerate(
            [
                (RESIDUAL.model[:20_000], None),
                (b"not a model", None),
                (RESIDUAL.model, {"sha256": 64 * "0"}),
                (RESIDUAL.model, b"[" * 100_000),
            ],
            start=1,
        ):
            folder = tmp_path / f"{number}"  # equal lines would be one
            folder.mkdir()
            reload(service, file, f'model = "{write(folder, content, info)}"\n')
            while len(service.complaints) < number:
                messages.append(check(await client.recv()))
        messages += await told(client, names, names)
        gapless(messages)
        assert len(list(filter(is_hello, messages))) == known
        assert len(service.complaints) == 4
        for line in service.complaints:
            assert line.startswith(f"soloist: the settings stay as they were: {file}:1: model")
            assert len(line) < 1000
        path = write(tmp_path, RESIDUAL.model + b"mine", {"name": "mine"})
        reload(service, file, f'model = "{path}"\n')
        messages += await told(client, is_hello, names)
        assert list(filter(is_hello, messages))[-1]["model"] == "mine"
        gapless(messages)


def test_a_shipped_model_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that are part of the program are trusted, by name or by path."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(subprocess, "run", refuse)
    assert Classifier(RESIDUAL).bundle is RESIDUAL


def test_a_model_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second load of the same file, such as a reload of the configuration, costs nothing more."""
    model = RESIDUAL.model + b"mine"  # which no interpreter minds
    Classifier(served(model))
    monkeypatch.setattr(subprocess, "run", None)
    assert Classifier(served(model)).bundle.model == model


def test_a_crash_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for the child that is ended by a signal, hangs, prints garbage or is not there is told in a line."""
    model = RESIDUAL.model + b"crash"
    program = tmp_path / "python"
    monkeypatch.setattr("sys.executable", str(program))
    with pytest.raises(ModelError, match=r"cannot be tried.*No such file"):
        Classifier(served(model))
    for number, (script, said) in enumerate(
        [
            ("kill -SEGV $$", r"crashes on the \.tflite \(SIGSEGV\)"),
            ("kill -ABRT $$", r"crashes on the \.tflite \(SIGABRT\)"),
            ("kill -XCPU $$", "more time or memory"),
            ("echo first >&2; echo last line >&2; exit 3", "model mine: last line"),
            ("exit 9", "status 9"),
            (r"printf '\377\033[2Jgarbage\n\0\001' >&2; exit 3", "garbage"),
            ("yes | head -c 3000000 >&2; echo last >&2; exit 3", "model mine: last"),
            ("exec sleep 100", "does not come to an end"),
        ]
    ):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        if "sleep" in script:
            monkeypatch.setattr(sandbox, "_TIMEOUT_SECONDS", 0.2)
        with pytest.raises(ModelError, match=said) as caught:
            Classifier(served(model + bytes([number])))
        assert str(caught.value).isprintable()


def test_the_probe_as_a_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """``python -m stream.recognition.sandbox FILE`` says with its status whether a model can be run."""

    def tried(file: Path) -> int:
        return subprocess.run([sys.executable, "-m", "stream.recognition.sandbox", str(file)], check=False).returncode

    model = tmp_path / "model"
    model.write_bytes(RESIDUAL.model)
    assert tried(model) == 0
    assert capfd.readouterr().err == ""
    assert tried(tmp_path / "none") == 3
    assert "No such file" in capfd.readouterr().err


def test_the_probe_is_bounded() -> None:
    """What takes more memory than a model may ends in a line; the limits hold for the probe alone."""
    program = (
        "import sys; from stream.recognition import sandbox; "
        "sandbox._DATA_BYTES = 160 << 20; sandbox._run = lambda *_: bytearray(192 << 20); "
        "sys.exit(sandbox.main(['-']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=b"", capture_output=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 3
    assert done.stderr.decode() == "the .tflite takes more memory than a model may\n"


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="needs Linux's /proc")
def test_where_memory_runs_out_the_trial_ends_first(tmp_path: Path) -> None:
    """The kernel is told to take the process that tries a model before the service."""
    script = (
        "import sys; from stream.recognition import sandbox; "
        "sandbox.main(sys.argv[1:]);print(open('/proc/self/oom_score_adj').read())"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "none.tflite")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1000"
