"""The command line, in processes of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream import __version__
from stream.audio.sound_file import open_sound_file
from stream.errors import SourceError
from stream.recognition.classifier import Classifier
from stream.recognition.mel import Array
from stream.service.offline import classify
from tests.support.processes import SOLOIST, serving, soloist

# No sound server may answer in these tests.
NO_SOUND = {"PULSE_SERVER": "none", "PIPEWIRE_RUNTIME_DIR": "/nonexistent"}


@pytest.fixture(scope="module")
def demo_file() -> Path:
    """The demo as a file."""
    return Path(str(resources.files("stream") / "demo.ogg"))


@pytest.fixture
def solo(tmp_path: Path, demo: Array) -> Path:
    """Five seconds of the demo's piano."""
    path = tmp_path / "solo.wav"
    soundfile.write(path, demo[: 5 * 22_050], 22_050)
    return path


async def test_classify_tells_a_timeline_per_file_as_json(demo_file: Path, solo: Path) -> None:
    """One object per file and line holds the contract's keys, and its segments cover the file."""
    status, out, err = await soloist("classify", "--json", str(demo_file), str(solo))
    assert (status, err) == (0, "")
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["file"], second["file"]) == (str(demo_file), str(solo))
    assert first["seconds"] == pytest.approx(79.5, abs=0.1)
    for told in (first, second):
        assert set(told) == {"file", "seconds", "label", "confidence", "probabilities", "segments", "totals"}
        assert len(told["probabilities"]) == 8
        assert told["segments"][0]["start"] == 0
        assert told["segments"][-1]["end"] == told["seconds"]
        for before, after in zip(told["segments"], told["segments"][1:], strict=False):
            assert before["end"] == after["start"]
    assert second["label"] == "piano"
    assert second["confidence"] == second["probabilities"]["piano"]
    assert first["segments"][-1]["label"] == "silence"


async def test_classify_writes_for_people(solo: Path) -> None:
    """Without --json a line per file and segment tells times and labels."""
    status, out, _ = await soloist("classify", str(solo))
    assert status == 0
    headline, first, *_ = out.splitlines()
    assert headline == f"{solo}: 0:05.00"
    assert first.split() == ["piano", "0:05.00", "100%", "of", "the", "time"]
    assert " 0:00.00 -  0:05.00  piano" in out


async def test_classify_goes_on_after_files_that_cannot_be_read(tmp_path: Path, solo: Path) -> None:
    """Each file that cannot be read has one line on standard error, the others are done, and the status is 1."""
    text, empty, cut, headless = (tmp_path / name for name in ("a.txt", "b.wav", "c.flac", "d.wav"))
    text.write_text("no audio")
    soundfile.write(empty, np.zeros(0, np.float32), 44_100)
    soundfile.write(cut, np.random.default_rng(0).uniform(-0.5, 0.5, 400_000).astype(np.float32), 44_100)
    cut.write_bytes(cut.read_bytes()[:200_000])
    headless.write_bytes(b"RIFF")
    missing = tmp_path / "missing.wav"
    status, out, err = await soloist(
        "classify", "--json", *map(str, (text, empty, missing, headless, tmp_path, cut, solo))
    )
    assert status == 1
    lines = err.splitlines()
    for path, line in zip([text, empty, missing, headless, tmp_path, cut], lines, strict=True):
        assert line.startswith(f"soloist: {path}: ")
    half, whole = map(json.loads, out.splitlines())
    assert 2 < half["seconds"] < 8
    assert whole["label"] == "piano"


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"), [(8_000, 1, "PCM_U8"), (96_000, 3, "FLOAT"), (48_000, 2, "PCM_24")]
)
async def test_classify_takes_any_form(tmp_path: Path, demo: Array, rate: int, channels: int, subtype: str) -> None:
    """Files of any rate, width and number of channels are heard, and their length is told right."""
    import soxr

    path = tmp_path / "form.wav"
    mono = soxr.resample(demo[: 4 * 22_050], 22_050, rate)
    soundfile.write(path, np.repeat(mono[:, None], channels, axis=1), rate, subtype=subtype)
    status, out, _ = await soloist("classify", "--json", str(path))
    assert status == 0
    assert json.loads(out)["seconds"] == pytest.approx(4, abs=0.002)


async def test_classify_calls_zeros_silence(tmp_path: Path) -> None:
    """A file of zeros is silence from end to end."""
    path = tmp_path / "zeros.wav"
    soundfile.write(path, np.zeros(5 * 22_050, np.float32), 22_050)
    _, out, _ = await soloist("classify", "--json", str(path))
    told = json.loads(out)
    assert (told["label"], told["confidence"]) == ("silence", 0)
    assert set(told["probabilities"].values()) == {0}
    assert told["segments"] == [{"start": 0, "end": 5, "label": "silence", "confidence": 0}]


async def test_classify_hears_one_of_two_channels_that_cancel(tmp_path: Path, solo: Path) -> None:
    """A file whose channels cancel is heard by one of them, which standard error and a field tell; others have none."""
    audio, rate = soundfile.read(solo, dtype="float32")
    for name, right in (("inverse.wav", -audio), ("balanced.wav", -0.995 * audio)):
        soundfile.write(tmp_path / name, np.stack([audio, right], axis=1), rate)
        status, out, err = await soloist("classify", "--json", str(tmp_path / name))
        told = json.loads(out)
        reason = "channels 1 and 2 cancel each other"
        assert (status, told["label"]) == (0, "piano")
        assert told["alone"] == [{"start": 0.3, "end": 5.0, "channel": 1, "reason": reason}]
        assert err == f"soloist: {tmp_path / name}: {reason}: channel 1 alone is heard; --channel N chooses another\n"


async def test_classify_tells_what_goes_beyond_full_scale_from_what_is_clipped(tmp_path: Path, solo: Path) -> None:
    """Floating-point samples above full scale are told with how far they go, and not as clipped."""
    audio, rate = soundfile.read(solo, dtype="float32")
    path = tmp_path / "loud.wav"
    soundfile.write(path, audio * np.float32(4 / np.abs(audio).max()), rate, subtype="FLOAT")
    status, out, err = await soloist("classify", str(path))
    assert (status, err) == (0, "")
    assert "samples go 12.0 dB beyond full scale: what plays the file will clip them" in out
    assert "may be clipped" not in out


async def test_classify_reports_what_is_wrong_with_the_audio(tmp_path: Path, demo: Array) -> None:
    """Samples that are no numbers are counted on standard error, and full scale is told to people."""
    audio = 4 * demo[: 5 * 22_050].clip(-0.25, 0.25)
    audio[100:107] = np.nan
    path = tmp_path / "bad.wav"
    soundfile.write(path, audio, 22_050, subtype="FLOAT")
    status, out, err = await soloist("classify", str(path))
    assert status == 0
    assert err == f"soloist: {path}: 7 samples are not numbers; they are taken as zeros\n"
    assert "at full scale" in out


@pytest.mark.parametrize(
    ("kind", "subtype", "said"),
    [
        ("wav", "PCM_16", "breaks off: 2.5 s of the 5.0 s are missing"),
        ("aiff", "PCM_24", "breaks off: 2.5 s of the 5.0 s are missing"),
        ("w64", "FLOAT", "breaks off: 2.5 s of the 5.0 s are missing"),
        ("mp3", "MPEG_LAYER_III", r"breaks off: 2\.[456] s of the 5.0 s are missing"),
        ("ogg", "VORBIS", "breaks off: its end is missing"),
    ],
)
async def test_classify_says_what_is_missing_of_a_file(
    tmp_path: Path, demo: Array, kind: str, subtype: str, said: str
) -> None:
    """Half a file is heard, and a line says what is missing; of a whole file there is no line."""
    path = tmp_path / f"solo.{kind}"
    soundfile.write(path, demo[: 5 * 22_050], 22_050, subtype=subtype)
    assert (await soloist("classify", "--json", str(path)))[2] == ""
    os.truncate(path, path.stat().st_size // 2)
    status, out, err = await soloist("classify", "--json", str(path))
    assert status == 0
    assert 1 < json.loads(out)["seconds"] < 4
    assert re.fullmatch(f"soloist: {re.escape(str(path))}: {said}\n", err)


@pytest.mark.parametrize("claimed", [0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0xFFFFFFFF])
def test_a_wav_file_that_came_through_a_pipe_lacks_nothing(solo: Path, classifier: Classifier, claimed: int) -> None:
    """What programs write into the header that do not know the length is no promise."""
    content = bytearray(solo.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", claimed)
    solo.write_bytes(content)
    timeline = classify(solo, classifier)
    assert (timeline.seconds, timeline.missing) == (5, 0)


@pytest.mark.slow
async def test_a_file_may_have_any_name(solo: Path) -> None:
    """A name that is not UTF-8, or would move the cursor, is heard, and written so that a terminal does not obey."""
    for name, shown in ((b"caf\xe9.wav", r"caf\udce9.wav"), (b"a\n\x1b[31mb.wav", r"a\n\x1b[31mb.wav")):
        path = Path(shutil.copy(solo, solo.with_name(os.fsdecode(name))))
        status, out, err = await soloist("classify", os.fsdecode(name), cwd=solo.parent)
        assert (status, err) == (0, "")
        assert out.splitlines()[0].startswith(f"{shown}: 0:05.00")
        assert json.loads((await soloist("classify", "--json", str(path)))[1])["file"] == str(path)
        os.unlink(path)
        assert (await soloist("classify", os.fsdecode(name), cwd=solo.parent))[2] == f"soloist: {shown}: no such file\n"


def test_a_file_that_may_not_be_read_is_told_as_such(solo: Path) -> None:
    """Where the rights are missing the error says so."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory(prefix="soloist-") as folder:
        path = Path(shutil.copy(solo, folder))
        os.chmod(folder, 0o755)
        path.chmod(0)
        try:
            if user == 0:
                os.seteuid(65_534)  # root may read anything
            with pytest.raises(SourceError, match=r"solo\.wav: Permission denied$"):
                open_sound_file(path)
        finally:
            os.seteuid(user)


async def test_where_a_file_is_broken_is_told(tmp_path: Path) -> None:
    """`run` and `classify` hear what is before it, and say after how many seconds, why, and how much is missing."""
    path = tmp_path / "cut.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 44_100).astype(np.float32), 44_100)
    os.truncate(path, path.stat().st_size // 2)
    status, out, err = await soloist("classify", str(path))
    broken = r"((broken|damaged) after 0\.\d s: (?!Error)[^.]+; |breaks off: )0\.\d s of the 1\.0 s are missing\n"
    assert (status, bool(out)) == (0, True)
    assert re.fullmatch(f"soloist: {re.escape(str(path))}: {broken}", err)
    status, _, err = await soloist("run", "--port", "0", "--session-log", "off", "--input", str(path))
    assert status == 0
    assert re.search(rf"soloist: cut\.flac: {broken}soloist: cut\.flac has ended after [\d.]+ s\n$", err)


async def test_the_lineup_holds_for_files_too(solo: Path) -> None:
    """What is not in the line-up is unknown."""
    _, out, _ = await soloist("classify", "--json", "--instruments", "violin, flute", str(solo))
    told = json.loads(out)
    assert told["label"] == "unknown"
    assert told["probabilities"]["piano"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--input", "demo", "--instruments", "kazoo"], '--instruments names "kazoo"'),
        (["classify", "--instruments", "kazoo", "x.wav"], '--instruments names "kazoo"'),
        (["run", "--input", "demo", "--port", "70000"], "--port is 70000; expected 0 to 65535"),
        (["run", "--input", "demo", "--hop", "9"], "--hop is 9.0; expected 0.02 to 2.97"),
        (["run", "--input", "-", "--pcm", "mp3"], '--pcm is "mp3"; expected s16le'),
        (["run", "--input", "demo", "--config", "/none.toml"], "/none.toml: No such file"),
        (["listen", "ftp://x"], "address is 'ftp://x'"),
        (["classify"], "required: FILE"),
        (["sing"], "invalid choice: 'sing'"),
    ],
)
async def test_wrong_usage_ends_with_2(arguments: list[str], said: str) -> None:
    """A setting that cannot be used is told in one line, without a traceback."""
    status, out, err = await soloist(*arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


async def test_what_a_command_does_not_know_shows_its_own_usage() -> None:
    """A flag that a command does not have brings the usage of that command, not of the whole program."""
    status, out, err = await soloist("run", "--bogus")
    assert (status, out) == (2, "")
    assert err.startswith("usage: soloist run ")
    assert err.endswith("soloist run: error: unrecognized arguments: --bogus\n")


async def test_flags_of_the_wrong_type_are_told_as_everything_else() -> None:
    """All of them are told, by `run` in one line, as JSON where that is asked for."""
    flags = ("--threads", "x", "--gate", "loud", "--port", "0")
    status, _, err = await soloist("config", "check", *flags)
    assert status == 2
    assert err.splitlines() == [
        'soloist: --threads is "x"; expected a whole number',
        'soloist: --gate is "loud"; expected a number',
    ]
    status, _, err = await soloist("run", *flags, "--log-format", "json")
    assert (status, json.loads(err)["message"].partition(" (")[0]) == (2, '--threads is "x"; expected a whole number')


async def test_a_port_that_is_taken_is_one_line_with_a_hint(tmp_path: Path) -> None:
    """A second service on the same port says what to do, and nothing of the log that the first one writes."""
    env = {"XDG_STATE_HOME": str(tmp_path)}
    async with serving("--input", "demo", env=env) as service:
        status, _, err = await soloist("run", "--input", "demo", "--port", service.port, env=env)
    said = f"soloist: cannot listen on 127.0.0.1:{service.port}: Address already in use"
    assert (status, err) == (1, f"{said}; does another Soloist run? Choose another port with --port\n")


def test_a_port_that_the_system_keeps_is_told_with_a_hint() -> None:
    """Who may not listen on a port below 1024 is told to choose another."""
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 81:
        pytest.skip("everybody may listen on any port here")
    # Whoever runs the tests: without the right, which root has.
    drop = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"] if os.geteuid() == 0 else []
    if drop and shutil.which("setpriv") is None:
        pytest.skip("needs setpriv: apt install util-linux")
    command = [*drop, *SOLOIST, "run", "--input", "demo", "--port", "81"]
    done = subprocess.run(command, capture_output=True, text=True)
    hint = "the system keeps ports below 1024 for its administrator: choose another one with --port"
    assert (done.returncode, done.stderr) == (1, f"soloist: cannot listen on 127.0.0.1:81: Permission denied; {hint}\n")


async def test_a_channel_that_is_not_there_is_told_before_anybody_is_served() -> None:
    """The service does not begin to listen on its port with a channel that its source lacks."""
    status, _, err = await soloist("run", "--input", "demo", "--port", "0", "--channel", "9")
    assert (status, err) == (2, "soloist: --channel is 9; the source has 1\n")


async def test_settings_without_effect_are_notes(tmp_path: Path) -> None:
    """`config check` tells them, with status 0; what is wrong is told in the order of the file, then that of flags."""
    status, _, err = await soloist("config", "check", "--input", "demo", "--wait")
    assert (status, err) == (0, 'soloist: note: --wait has no effect with input "demo"\n')
    file = tmp_path / "my.toml"
    file.write_text('[recognition]\ninstruments = ["kazoo"]\nprot = 1\n[audio]\nchannel = 9\n')
    status, _, err = await soloist("config", "check", "--config", str(file), "--input", "demo", "--gate", "x")
    assert status == 2
    assert [line.removeprefix(f"soloist: {file}:")[:1] for line in err.splitlines()[:3]] == ["2", "3", "5"]
    assert err.splitlines()[3:] == ['soloist: --gate is "x"; expected a number']


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (["run", "--port", "0", "--input", "demo"], "stream.cli.command_line"),
        (["run", "--port", "0", "--input", "demo"], "stream.settings.settings"),
        (["run", "--port", "0", "--input", "demo"], "stream.service.service"),
        (["run", "--port", "0", "--input", "demo"], "prometheus_client"),
        (["classify", "--json", "x.wav"], "numpy"),
        (["config", "check"], "numpy"),
        (["listen"], "websockets.asyncio.client"),
        (["devices"], "stream.audio.devices"),
        (["sessions"], "sqlite3"),
        (["bench"], "soxr"),
        (["install-service", "--print"], "argparse"),
    ],
)
async def test_an_interrupt_while_starting_ends_without_a_word(
    tmp_path: Path, arguments: list[str], module: str
) -> None:
    """Ctrl-C before a command is at work brings status 130, and no traceback."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
    )
    env = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.getcwd()}", "XDG_STATE_HOME": str(tmp_path)}
    assert await soloist(*arguments, env=env) == (130, "", "")


async def test_a_reload_that_is_asked_for_too_early_is_made_later(tmp_path: Path) -> None:
    """SIGHUP before the service serves does not end it: the settings are read again when it does."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Hangup:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('stream.cli.command_line', 'stream.service.service'):\n"
        "            os.kill(os.getpid(), signal.SIGHUP)\n"
        "sys.meta_path.insert(0, Hangup())\n"
    )
    env = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.getcwd()}"}
    async with serving("--input", "demo", env=env) as service, asyncio.timeout(10):
        while True:
            if "soloist: the settings were read again" in service.complaints:
                break
            await asyncio.sleep(0.02)
    assert service.process.returncode == 0


def test_a_closed_standard_input_is_told() -> None:
    """Where standard input is closed there is one line, and status 1."""
    command = f"{' '.join(SOLOIST)} run --port 0 --input - <&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "soloist: standard input is closed\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--input", "/none.wav"], "/none.wav: no such file"),
        (["run", "--input", "/etc/hostname"], "/etc/hostname: "),
        (["run", "--input", "demo", "--model", "none"], "no model 'none'; shipped are"),
        (["run", "--input", "demo", "--host", "203.0.113.1", "--open"], "cannot listen on 203.0.113.1"),
    ],
)
async def test_what_goes_wrong_ends_with_1(arguments: list[str], said: str) -> None:
    """What cannot be opened is told in one line."""
    status, _, err = await soloist(*arguments)
    assert status == 1
    assert err.count("\n") == 1
    assert said in err


@pytest.fixture
async def no_input() -> None:
    """A machine without any input, or the test cannot be done."""
    pytest.importorskip("sounddevice", exc_type=OSError, reason="needs PortAudio: apt install libportaudio2")
    if (await soloist("devices", env=NO_SOUND))[0] == 0:
        pytest.skip("this machine has an input")


@pytest.mark.usefixtures("no_input")
async def test_no_microphone_names_the_demo() -> None:
    """Without any input the service says so in one line that names the demo, and ends."""
    status, _, err = await soloist("run", "--port", "0", env=NO_SOUND)
    assert status == 1
    assert err.count("\n") == 1
    assert "no microphone" in err
    assert "--input demo" in err


@pytest.mark.usefixtures("no_input")
@pytest.mark.parametrize("waiting", [["--wait"], ["--device", "USB Audio"]])
async def test_a_microphone_that_is_wanted_is_waited_for(waiting: list[str]) -> None:
    """With --wait or --device the service serves, says what it waits for, and ends at a signal."""
    from websockets.asyncio.client import connect

    async with serving(*waiting, env=NO_SOUND) as service, connect(f"ws://{service.address}/ws") as socket:
        assert json.loads(await socket.recv())["type"] == "hello"
        status = json.loads(await socket.recv())
        assert (status["type"], status["source"]) == ("status", "waiting")
        assert "input" in status["message"]
    assert service.process.returncode == 0


@pytest.mark.usefixtures("no_input")
async def test_devices_are_listed_or_said_to_be_missing() -> None:
    """Without inputs the list is one line on standard error and status 1."""
    assert await soloist("devices", env=NO_SOUND) == (1, "", "soloist: no microphone or line input found\n")


async def test_a_missing_portaudio_names_its_package(tmp_path: Path) -> None:
    """Where the library is not installed, the line says what to install; the demo needs none."""
    # The linker finds no library any more: what sounddevice sees where PortAudio is not installed.
    (tmp_path / "sitecustomize.py").write_text("import ctypes.util\nctypes.util.find_library = lambda name: None\n")
    status, _, err = await soloist("devices", env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.getcwd()}"})
    assert status == 1
    assert "apt install libportaudio2" in err
    assert err.count("\n") == 1


async def test_the_settings_are_told_with_their_places(tmp_path: Path) -> None:
    """`config check` tells value and origin of each setting, and exits 0 when all can be used."""
    file = tmp_path / "my.toml"
    file.write_text('server.token = "kT7vQ2mXp9sLw4Rz8dYb"\n[recognition]\ngate = -60\n')
    env = {"SOLOIST_PORT": "9000", "SOLOIST_CONFIG": str(file), "SOLOIST_PROT": "1"}
    status, out, err = await soloist("config", "check", "--hop", "0.5", env=env)
    rows = [re.split(" {2,}", line) for line in out.splitlines()]
    assert ["input", '"mic"', "default"] in rows
    assert ["gate", "-60.0", f"{file}:3"] in rows
    assert ["port", "9000", "SOLOIST_PORT"] in rows
    assert ["hop", "0.5", "--hop"] in rows
    assert ["token", "(hidden)", f"{file}:1"] in rows
    assert err == "soloist: note: SOLOIST_PROT is not a setting; did you mean SOLOIST_PORT?\n"
    assert status == 0


async def test_all_that_is_wrong_with_the_settings_is_told(tmp_path: Path) -> None:
    """`config check` tells each problem on a line, those of the model too, and exits 2; `run` tells the first."""
    file = tmp_path / "my.toml"
    file.write_text('prot = 1\n[recognition]\ngate = "x"\ninstruments = ["kazoo"]\n')
    status, _, err = await soloist("config", "check", "--config", str(file), "--threads", "0")
    told = err.splitlines()
    assert status == 2
    assert [line.partition(";")[0] for line in told] == [
        f'soloist: {file}:1: unknown setting "prot"',
        f'soloist: {file}:3: recognition.gate is "x"',
        f'soloist: {file}:4: recognition.instruments names "kazoo", which model lead does not know',
        "soloist: --threads is 0",
    ]
    status, _, err = await soloist("run", "--config", str(file), "--threads", "0")
    assert (status, err) == (2, f"{told[0]} (and 2 more: soloist config check)\n")


async def test_settings_outside_of_tables_are_told_once(tmp_path: Path) -> None:
    """A file as it was before there were tables is used; a line says where its settings belong, and never again."""
    file = tmp_path / "my.toml"
    file.write_text('input = "demo"\nsession_log_days = 7\nlog_level = "info"\n')
    told = (
        f"{file}:1: settings outside of tables are an old form; they belong to [audio] (input), "
        "[session_log] (session_log_days as days), [logging] (log_level as level)"
    )
    assert (await soloist("config", "check", "--config", str(file)))[::2] == (0, f"soloist: note: {told}\n")
    async with serving("--config", str(file)) as service, asyncio.timeout(10):
        service.process.send_signal(signal.SIGHUP)
        while True:
            if "soloist: the settings were read again" in service.complaints:
                break
            await asyncio.sleep(0.02)
        assert service.complaints.count(f"soloist: {told}") == 1
    assert service.process.returncode == 0


async def test_an_example_of_settings_is_told(tmp_path: Path) -> None:
    """`config example` writes a file that `config check` has nothing to say about."""
    status, out, _ = await soloist("config", "example")
    assert status == 0
    file = tmp_path / "soloist.toml"
    file.write_text(out)
    status, out, err = await soloist("config", "check", "--config", str(file))
    assert (status, err) == (0, "")
    assert {line.split()[-1] for line in out.splitlines()} == {"default"}


async def test_the_unit_of_the_service_can_be_seen() -> None:
    """`install-service --print` writes the unit, and nothing else happens."""
    status, out, err = await soloist("install-service", "--print", "--config", "my.toml")
    assert (status, err) == (0, "")
    assert f" run --wait --config {os.getcwd()}/my.toml\n" in out
    assert await soloist("install-service", "--print", "--user", "no-body") == (
        1,
        "",
        "soloist: --user is 'no-body'; there is no such user\n",
    )


async def test_errors_of_the_service_are_json_where_its_logs_are() -> None:
    """With --log-format json the last line is an object too, and the status stays."""
    status, _, err = await soloist("run", "--input", "/none.wav", "--log-format", "json")
    told = json.loads(err)
    assert (status, told["level"], told["message"]) == (1, "error", "/none.wav: no such file")


async def test_systemd_is_told_of_start_and_end(tmp_path: Path) -> None:
    """READY comes once the service serves, with its address, and STOPPING when it is told to end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        async with serving("--input", "demo", env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as service:
            assert manager.recv(4096).decode() == f"READY=1\nSTATUS=listening on {service.url}"
        heard = [manager.recv(4096).decode()]
        while not heard[-1].startswith("STOPPING=1"):
            heard.append(manager.recv(4096).decode())
    assert service.process.returncode == 0


@pytest.mark.parametrize("source", ["demo", "-"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_service_cleanly(number: signal.Signals, source: str) -> None:
    """SIGINT and SIGTERM end it with status 0 and nothing more to say, also while it waits for standard input."""
    async with serving("--input", source, stdin=subprocess.PIPE) as service:
        service.process.send_signal(number)
        async with asyncio.timeout(10):
            await service.process.wait()  # a second signal, from leaving the context, could meet Python's own ending
    assert service.process.returncode == 0
    assert service.complaints == []


def test_nothing_heavy_is_imported() -> None:
    """The service runs without the laboratory's packages."""
    code = (
        "import sys, stream.service.service, stream.service.offline, stream.client\n"
        "heavy = {'tensorflow', 'keras', 'librosa', 'numba', 'scipy', 'train', 'sounddevice'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_help_takes_nothing_that_takes_time() -> None:
    """What only reads its arguments imports nothing that hears, and no event loop."""
    code = (
        "import sys\n"
        "from stream.__main__ import main\n"
        "try:\n"
        "    main(['run', '--help'])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "heavy = {'numpy', 'ai_edge_litert', 'tflite_runtime', 'asyncio', 'websockets', 'stream.settings.settings'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_a_command_imports_no_other() -> None:
    """Of the commands only the one that is meant is imported."""
    code = (
        "import sys\n"
        "from stream.__main__ import main\n"
        "try:\n"
        "    main(['devices', '--help'])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "print(sorted(name for name in sys.modules if name.startswith('stream.cli.')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "['stream.cli.argument_parser', 'stream.cli.command_line', 'stream.cli.devices']"


def test_what_lists_or_writes_imports_nothing_that_hears() -> None:
    """Reading settings takes no numpy: sessions are listed and a unit is written without it."""
    code = (
        "import sys\n"
        "from stream.__main__ import main\n"
        "main(['install-service', '--print'])\n"
        "main(['sessions', '--log', '/none'])\n"
        "print(sorted({'numpy', 'soundfile', 'ssl', 'asyncio', 'tomllib', 'websockets'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_the_version_is_told() -> None:
    """`soloist --version` names program and version."""
    out = subprocess.run([*SOLOIST, "--version"], capture_output=True, text=True, check=True).stdout
    assert out == f"soloist {__version__}\n"
