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
from tests.service.test_reload import gapless, is_hello, names, reload, told
from tests.support.damage import MORE, damaged
from tests.support.processes import serving
from tests.support.serving import check

SMALL = bundle.load("small")
CUSTOM = 32

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


def write(folder: Path, model: bytes, info: dict[str, Any] | bytes | None = None) -> Path:
    """A bundle whose json has the right digest of its .tflite; the path of the latter."""
    path = folder / "mine.tflite"
    path.write_bytes(model)
    if not isinstance(info, bytes):
        digest = hashlib.sha256(model).hexdigest()
        info = json.dumps(SMALL.info | {"sha256": digest} | (info or {})).encode()
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


@settings(max_examples=100 * MORE)
@given(key=st.sampled_from([*SMALL.info, "extra"]), value=anything)
def test_any_value_under_any_key(folder: Path, key: str, value: object) -> None:
    """Whatever a key holds, the bundle is loaded, or refused in one short line that can be printed."""
    path = write(folder, SMALL.model, {key: value})
    if refusal(path) is None:
        assert bundle.load(path).model == SMALL.model


@settings(max_examples=60 * MORE)
@given(
    key=st.sampled_from(["temperature", "threshold"]),
    value=anything | st.dictionaries(st.sampled_from([*SMALL.instruments, "kazoo"]), anything),
)
def test_any_calibration(folder: Path, key: str, value: object) -> None:
    """No temperature and no threshold gets through that is no number within its bounds."""
    path = write(folder, SMALL.model, {"calibration": SMALL.info["calibration"] | {key: value}})
    if refusal(path) is None:
        loaded = bundle.load(path)
        assert 0.01 <= loaded.temperature <= 100
        assert all(0 <= threshold <= 1 for threshold in loaded.thresholds)


@settings(max_examples=60 * MORE)
@given(labels=st.lists(texts, max_size=12) | st.integers(0, 5_000).map(lambda n: [f"label {i}" for i in range(n)]))
def test_any_labels(folder: Path, labels: list[str]) -> None:
    """Labels that are odd, twice there or thousands are refused or fit to be shown."""
    path = write(folder, SMALL.model, {"labels": labels, "calibration": {"temperature": 1.0, "threshold": 0.5}})
    if refusal(path) is None:
        assert bundle.load(path).labels == tuple(labels)
        assert len(labels) <= 512


@settings(max_examples=60 * MORE)
@given(seed=st.integers(0, 1 << 32))
def test_a_damaged_json(folder: Path, seed: int) -> None:
    """Bytes that were changed at random make a json that is refused or still in order."""
    path = write(folder, SMALL.model, damaged(json.dumps(SMALL.info).encode(), seed))
    if refusal(path) is None:
        assert bundle.load(path).model == SMALL.model


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
    assert refusal(write(folder, SMALL.model, content)) is not None


@pytest.mark.parametrize("suffix", [".json", ".tflite"])
@pytest.mark.parametrize("kind", ["a gigabyte", "a pipe", "a device", "a folder"])
def test_a_file_that_is_no_model_is_not_read(tmp_path: Path, suffix: str, kind: str) -> None:
    """Neither file is read where it is longer than any model, never ends, or waits for a writer."""
    path = write(tmp_path, SMALL.model)
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
    said = structure_refusal(damaged(SMALL.model, seed))
    assert len(said) < 800
    assert "\n" not in said


@settings(max_examples=100 * MORE)
@given(content=st.binary(max_size=400))
def test_claims_of_anything(content: bytes) -> None:
    """Neither do bytes that never were a model."""
    with pytest.raises(ModelError):
        tflite_file.check_structure(content[:4] + b"TFL3" + content[4:])


@pytest.mark.parametrize("name", bundle.shipped_names())
def test_shipped_models_would_pass(name: str) -> None:
    """The shipped models claim nothing that is refused, though without their last bytes they would be."""
    model = bundle.load(name).model
    tflite_file.check_structure(model)
    with pytest.raises(ModelError):
        tflite_file.check_structure(model[: len(model) // 2])


def test_a_custom_operator_is_refused() -> None:
    """Operators that are not TFLite's own are refused by name."""
    model = bytearray(SMALL.model)
    root = struct.unpack_from("<I", model, 0)[0]
    code = tflite_file._Table(bytes(model), root).tables(1)[0]
    for field, form in ((0, "b"), (3, "i")):
        if code._at(field):
            struct.pack_into("<" + form, model, code._at(field), CUSTOM)
    with pytest.raises(ModelError, match="operator that is refused: a custom one"):
        tflite_file.check_structure(bytes(model))


def test_a_tensor_of_gigabytes_is_refused() -> None:
    """Shapes are added up before anything is allocated."""
    model = bytearray(SMALL.model)
    root = struct.unpack_from("<I", model, 0)[0]
    tensor = tflite_file._Table(bytes(model), root).tables(2)[0].tables(0)[0]
    at, length = tensor._list(0)
    for i in range(length):
        struct.pack_into("<i", model, at + 4 * i, 1000)
    with pytest.raises(ModelError, match=r"tensors of 1e\+12 numbers"):
        tflite_file.check_structure(bytes(model))


def served(model: bytes) -> Bundle:
    """A bundle of the small model's labels around another .tflite."""
    return Bundle("mine", model, SMALL.labels, SMALL.channels, SMALL.temperature, SMALL.thresholds, SMALL.info)


# LiteRT 2.3 crashes in these two, with SIGSEGV and SIGABRT; tflite-runtime 2.14 in the third, and in half of all.
@pytest.mark.parametrize("seed", [273, 762, 3, *range(1000, 1000 + 2 * MORE)])
def test_a_damaged_tflite_with_the_right_digest(folder: Path, seed: int) -> None:
    """Whatever an interpreter does with a damaged model, it does it in a process of its own."""
    path = write(folder, damaged(SMALL.model, seed))
    try:
        Classifier(bundle.load(path))
    except ModelError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said
    assert not said or said.startswith(f"model {path}: ")  # not by the name in the json, which is that of another
    assert said or seed >= 1000


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
                (damaged(SMALL.model, 273), None),  # LiteRT 2.3 would end with SIGSEGV
                (damaged(SMALL.model, 762), None),  # and ends with SIGABRT
                (SMALL.model[:20_000], None),
                (SMALL.model, {"sha256": 64 * "0"}),
                (SMALL.model, b"[" * 100_000),
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
        assert len(service.complaints) == 5
        for line in service.complaints:
            assert line.startswith(f"soloist: the settings stay as they were: {file}:1: model")
            assert len(line) < 1000
        path = write(tmp_path, SMALL.model + b"mine", {"name": "mine"})
        reload(service, file, f'model = "{path}"\n')
        messages += await told(client, is_hello, names)
        assert list(filter(is_hello, messages))[-1]["model"] == "mine"
        gapless(messages)


def test_a_shipped_model_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that are part of the program are trusted, by name or by path."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(subprocess, "run", refuse)
    assert Classifier(SMALL).bundle is SMALL


def test_a_model_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second load of the same file, such as a reload of the configuration, costs nothing more."""
    model = SMALL.model + b"mine"  # which no interpreter minds
    Classifier(served(model))
    monkeypatch.setattr(subprocess, "run", None)
    assert Classifier(served(model)).bundle.model == model


def test_a_crash_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A child that is ended by a signal, hangs or cannot be started is told in a line."""
    model = SMALL.model + b"crash"
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
            ("exec sleep 100", "does not come to an end"),
        ]
    ):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        if "sleep" in script:
            monkeypatch.setattr(sandbox, "_TIMEOUT_SECONDS", 0.2)
        with pytest.raises(ModelError, match=said):
            Classifier(served(model + bytes([number])))


def test_the_probe_as_a_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """``python -m stream.recognition.sandbox FILE`` says with its status whether a model can be run."""

    def tried(model: bytes) -> int:
        file = tmp_path / "model"
        file.write_bytes(model)
        return subprocess.run([sys.executable, "-m", "stream.recognition.sandbox", str(file)], check=False).returncode

    assert tried(SMALL.model) == 0
    assert capfd.readouterr().err == ""
    assert tried(SMALL.model[:2000]) != 0


def test_the_probe_is_bounded() -> None:
    """What takes more memory than a model may ends in a line; the limits hold for the probe alone."""
    program = (
        "import sys; from stream.recognition import sandbox; "
        "sandbox._run = lambda *_: bytearray(1 << 30); sys.exit(sandbox.main(['-']))"
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
