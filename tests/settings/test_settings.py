"""Settings from flags, variables and a file."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from stream.audio.settings import AudioSettings
from stream.errors import ConfigError
from stream.recognition.mel import HOP_LENGTH, SAMPLE_RATE
from stream.recognition.settings import RecognitionSettings
from stream.server.access import Access
from stream.server.settings import ServerSettings
from stream.session_log.settings import SessionLogSettings
from stream.settings import check
from stream.settings.reading import load, read
from stream.settings.settings import Settings, declared, names, rooms
from stream.settings.values import closest
from stream.system.fields import written
from stream.system.logs import LoggingSettings
from tests.support.certificates import Certificate

EXAMPLE = Path(__file__).parents[2] / "docs" / "soloist.toml"
MANUAL = EXAMPLE.with_name("configuration.md")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a file of settings may be written."""
    return tmp_path / "soloist.toml"


def test_flags_win_over_variables_and_variables_over_the_file(file: Path) -> None:
    """Each setting comes from the first of flags, variables, file and default that has it, and it is known which."""
    file.write_text('port = 1\nhost = "a"\n\nhop = 1\ninstruments = ["violin"]\n')
    sources: tuple[Any, ...] = ({"port": 3}, {"SOLOIST_PORT": "2", "SOLOIST_HOST": "b", "OTHER": "x"}, file)
    assert load(*sources) == Settings(
        recognition=RecognitionSettings(hop=1.0, instruments=("violin",)), server=ServerSettings(port=3, host="b")
    )
    reading = read(*sources)
    assert reading.origins == {
        "port": "--port",
        "host": "SOLOIST_HOST",
        "hop": f"{file}:4",
        "instruments": f"{file}:5",
    }


def test_variables_are_read_by_the_type_of_their_setting() -> None:
    """Numbers, switches and lists are written as one would expect, and an empty variable is none."""
    variables = {
        "SOLOIST_CHANNEL": "2",
        "SOLOIST_GATE": "-50",
        "SOLOIST_WAIT": "yes",
        "SOLOIST_LOOP": "0",
        "SOLOIST_INSTRUMENTS": "violin, tenor saxophone",
        "SOLOIST_DEVICE": "USB",
        "SOLOIST_TOKEN": "",
    }
    settings = load({}, variables)
    assert settings == Settings(
        AudioSettings(channel=2, wait=True, device="USB"),
        RecognitionSettings(gate=-50.0, instruments=("violin", "tenor saxophone")),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nprot = 1", ':2: unknown setting "prot"; did you mean port?'),
        ("log-level = 1", ':1: unknown setting "log-level"; did you mean log_level?'),
        ("xyz = 1", f':1: unknown setting "xyz"; known are {", ".join(names())}'),
        ("[servr]\nport = 1", ':1: unknown table "servr"; did you mean server?'),
        ("[t]\nport = 1", ':1: unknown table "t"; known are audio, recognition, server, session_log, logging'),
        (
            "\n[server.t]\nport = 1",
            ':2: unknown table "server.t"; known are audio, recognition, server, session_log, logging',
        ),
        ("server = 1", ":1: server is a table, not a setting; expected [server]"),
        ("[[server]]\nport = 1", ":1: server is a table, not a setting; expected [server]"),
        ("[server]\n\nprot = 1", ':3: unknown setting "prot" in [server]; did you mean port?'),
        ("[server]\ngaet = 1", ':2: unknown setting "gaet" in [server]; did you mean gate in [recognition]?'),
        ("[audio]\nport = 1", ':2: unknown setting "port" in [audio]; it belongs to [server]'),
        ("level = 'info'", ':1: unknown setting "level"; it belongs to [logging]'),
        ("[logging]\nlog_level = 'info'", ':2: unknown setting "log_level" in [logging]; did you mean level?'),
        (
            "[audio]\nlog_level = 'info'",
            ':2: unknown setting "log_level" in [audio]; it belongs to [logging], as level',
        ),
        ("[logging]\nxyz = 1", ':2: unknown setting "xyz" in [logging]; known are level, format'),
        ("[server]\n[audio]\n[server]", ":3: [server] already stands on line 1"),
        ("[server]\nport = 'x'", ':2: server.port is "x"; expected a whole number'),
        ("server = { port = 'x' }", ':1: server.port is "x"; expected a whole number'),
        ("server.port = 'x'", ':1: server.port is "x"; expected a whole number'),
        ("[server.port]", ":1: server.port is a table; expected a whole number"),
        ("[server]\nport = x", ":2: server.port is x: Invalid value (column 8); expected a whole number"),
        ("[session_log]\ndays = 0", ":2: session_log.days is 0; expected 1 to 36500"),
        ("[logging]\n\nformat = 'xml'", ':3: logging.format is "xml"; expected "text" or "json"'),
        ("[server]\nport = 1\nport = 2", ":3: server.port: it is already set on line 2"),
        ("wait = true\n[audio]\n\nwait = true", ":4: audio.wait is set as wait too, on line 1"),
        ("audio.wait = true\nwait = true", ":1: audio.wait is set as wait too, on line 2"),
        (
            "session_log = 'off'\n[session_log]\ndays = 3",
            ":2: session_log is set outside of tables on line 1: move it into this table, as soloist config example "
            "has it",
        ),
        ("log_level = 'info'\n[logging]\nlevel = 'info'", ":3: logging.level is set as log_level too, on line 1"),
        ('"a\\nb" = 1', f':1: unknown setting "a\\nb"; known are {", ".join(names())}'),
        ("[port]", ":1: port is a table; expected a whole number"),
        ('port = "x"', ':1: port is "x"; expected a whole number'),
        ("port = true", ":1: port is true; expected a whole number"),
        ("port = 1.0", ":1: port is 1.0; expected a whole number"),
        ("port = 1979-05-27", ":1: port is 1979-05-27; expected a whole number"),
        ("port = 70000", ":1: port is 70000; expected 0 to 65535"),
        (f"port = 0x{'f' * 5000}", ":1: port is a huge number; expected 0 to 65535"),
        (f"gate = 0x{'f' * 5000}", ":1: gate is a huge number; expected a number"),
        ("gate = nan", ":1: gate is nan; expected -120 to 0"),
        ("hop = 9", ":1: hop is 9.0; expected 0.02 to 2.97"),
        ("channel = 0", ":1: channel is 0; expected 1 to 256"),
        ("wait = 1", ":1: wait is 1; expected true or false"),
        ('runtime = "onnx"', ':1: runtime is "onnx"; expected "auto" or "litert" or "tflite"'),
        (
            'pcm = "mp3"',
            ':1: pcm is "mp3"; expected s16le, s24le, s32le or f32le, rate in Hz and channels, such as s16le:44100:1',
        ),
        ('device = ""', ':1: device is ""; expected a text that is not empty'),
        ("device = 5", ":1: device is 5; expected a text in quotes"),
        (f"device = [{', '.join(['1'] * 99)}]", f":1: device is [{'1, ' * 26}1...; expected a text in quotes"),
        ('pcm = "s16le:768000:256"', ':1: pcm is "s16le:768000:256"; expected 1 to 16 channels at 768000 Hz'),
        ('pcm = "f32le:999:1"', ':1: pcm is "f32le:999:1"; expected a rate of 1000 to 768000 Hz'),
        (
            'host = "0.0.0.0:80"',
            ':1: host is "0.0.0.0:80"; expected an address or a name alone; its port is the setting port',
        ),
        ('host = "a..b"', ':1: host is "a..b"; expected an address or a name such as "stage.example.org"'),
        ("hosts = [1]", ':1: hosts is [1]; expected a list of texts such as ["stage.example.org"]'),
        (
            "origins = [x]",
            ":1: origins is [x]: Invalid value (column 12); expected a list of texts such as "
            '["https://desk.example.org"]',
        ),
        ("instruments = [1]", ':1: instruments is [1]; expected a list of texts such as ["flute", "piano"]'),
        ("instruments = []", ":1: instruments is []; expected at least one name"),
        ("\ndevice = USB", ":2: device is USB: Invalid value (column 10); expected a text in quotes"),
        ("port = 1\nport = 2", ":2: port: it is already set on line 1"),
        ("port 1", ":1: Expected '=' after a key in a key/value pair (column 6)"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(file: Path, text: str, said: str) -> None:
    """What is wrong in the file is named with line, key, value and what was expected."""
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load({}, {}, file)
    assert str(caught.value) == f"{file}{said}"


def test_everything_that_is_wrong_is_found(file: Path) -> None:
    """All problems are told, in the order of the file; who wants one line gets the first and their number."""
    file.write_text('prot = 1\nport = "x"\nhop = 1\nwait = 3')
    reading = read({"threads": 0}, {"SOLOIST_GATE": "loud"}, file)
    assert reading.problems == [
        f'{file}:1: unknown setting "prot"; did you mean port?',
        f'{file}:2: port is "x"; expected a whole number',
        f"{file}:4: wait is 3; expected true or false",
        'SOLOIST_GATE is "loud"; expected a number',
        "--threads is 0; expected 1 to 64",
    ]
    assert reading.settings == Settings(recognition=RecognitionSettings(hop=1.0))
    with pytest.raises(ConfigError, match=r"did you mean port\? \(and 4 more: soloist config check\)$"):
        load({"threads": 0}, {"SOLOIST_GATE": "loud"}, file)


@pytest.mark.parametrize(
    "text",
    [
        "token = 1234567",
        "token = s1234567",
        'token = ["1234567"]',
        'tokn = "1234567',
        "token = '''\n\0 1234567'''",
        "[server]\ntoken = 1234567",
        "[server]\ntoken = s1234567",
        "[[server]]\ntoken = s1234567",
        "server.token = s1234567",
        "server = { token = s1234567 }",
        "session_log = { token = s1234567 }",
        "[server]\ntokn = s1234567",
        "[server]\ntokn = '1234567'",
        "[audio]\ntoken = '1234567'",
        "server = '1234567'",
        "port = 1 token = '1234567'",
        "[server]\nport = 1, token = '1234567'",
    ],
)
def test_no_message_tells_a_token(file: Path, text: str) -> None:
    """However wrong it is, a token is in no message, not even where its name is misspelt."""
    file.write_text(text)
    (problem,) = read({}, {}, file).problems
    assert "1234567" not in problem
    assert "1234567" not in declared()["token"].field.written("1234567")
    assert "1234567" not in check.table(read({"token": "1234567"}, {}))


def test_each_setting_may_stand_in_its_table_or_as_it_was_before(file: Path) -> None:
    """Every setting is the same in the table of its room and outside of it, which is told in one line."""
    values = {name: setting.field.default for name, setting in declared().items()}
    values |= {name: 2 for name, value in values.items() if isinstance(value, int) and not isinstance(value, bool)}
    values |= {name: ["a"] for name, it in declared().items() if "tuple" in str(it.field.hint)}
    values |= {"channel": 2, "threshold": 0.5, "origins": ["http://a"], "frame_ancestors": ["self"], "loop": True}
    values = {name: "x" if value is None else value for name, value in values.items()}
    old = "".join(f"{name} = {written(value)}\n" for name, value in values.items())
    file.write_text(old)
    before = read({}, {}, file)
    lines: dict[str, str] = {}
    for name, setting in declared().items():
        lines[setting.room] = lines.get(setting.room, "") + f"{setting.field.name} = {written(values[name])}\n"
    file.write_text("".join(f"[{room}]\n{text}" for room, text in lines.items()))
    now = read({}, {}, file)
    assert now.problems == before.problems == []
    assert now.settings == before.settings != Settings()
    assert len(now.values) == len(names())
    assert now.outdated is None
    assert before.outdated == (
        f"{file}:1: settings outside of tables are an old form; they belong to "
        "[audio] (input, device, wait, channel, pcm, loop), "
        "[recognition] (instruments, hop, gate, threshold, model, players, runtime, threads), "
        "[server] (host, port, token, token_file, open, hosts, origins, frame_ancestors, certificate, key, "
        "control, connections, connections_per_address), [session_log] (session_log as file, session_log_days as days, "
        "session_log_megabytes as megabytes), [logging] (log_level as level, log_format as format)"
    )
    assert check.notes(before)[0] == before.outdated
    file.write_text("\n[server]\nport = 1\n")
    assert read({}, {}, file).called("port") == f"{file}:3: server.port"
    assert read({"port": "2"}, {}, file).called("port") == "--port"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"port = 1\ndevice = '\xe9'", ":2: byte 0xe9 is not UTF-8; expected text in UTF-8"),
        ("port = 1".encode("utf-16"), ":1: byte 0xff is not UTF-8; expected text in UTF-8"),
        (b"#" * 20_000, ": it is longer than the 16384 bytes that a file of settings may have"),
    ],
)
def test_what_is_no_text_is_refused(file: Path, content: bytes, said: str) -> None:
    """Another encoding, or far too much, is named."""
    file.write_bytes(content)
    assert read({}, {}, file).problems == [f"{file}{said}"]


def test_what_editors_put_before_the_text_is_passed_over(file: Path) -> None:
    """A byte order mark and Windows' ends of lines do no harm."""
    file.write_bytes("\ufeffport = 1\r\nwait = true\r\n".encode())
    assert load({}, {}, file) == Settings(AudioSettings(wait=True), server=ServerSettings(port=1))


@pytest.mark.parametrize("name", ["none.toml", ""])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """A file that is not there, or a folder, is an error, not an empty file."""
    with pytest.raises(ConfigError, match=rf"^{tmp_path / name}: (No such file|Is a directory)"):
        load({}, {}, tmp_path / name)


@pytest.mark.parametrize("setting", ["config", "token_file", "certificate", "key"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, certificate: Certificate, setting: str) -> None:
    """A pipe that nobody writes to, or a device without an end, is refused at once wherever a file is named."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        if setting == "config":
            assert read({}, {}, path).problems == [f"{path}: not a file"]
            continue
        flags = {"certificate": str(certificate.certificate)} if setting == "key" else {}
        with pytest.raises(ConfigError, match=f'^{setting} is "{path}": not a file$'):
            Access.of(load(flags | {setting: str(path)}, {}).server)


def test_flags_are_read_as_variables_are() -> None:
    """What a flag says is a text: it becomes what its setting takes, or is told with what was expected, all at once."""
    flags = {"threads": "x", "gate": "-5", "channel": "1.5", "runtime": "onnx", "hosts": "a, b", "wait": True}
    reading = read(flags, {})
    assert reading.problems == [
        '--threads is "x"; expected a whole number',
        '--channel is "1.5"; expected a whole number',
        '--runtime is "onnx"; expected "auto" or "litert" or "tflite"',
    ]
    assert reading.settings == Settings(
        AudioSettings(wait=True), RecognitionSettings(gate=-5.0), ServerSettings(hosts=("a", "b"))
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: AudioSettings(channel=0), "channel is 0; expected 1 to 256"),
        (lambda: AudioSettings(pcm="s16le:1:1"), 'pcm is "s16le:1:1"; expected a rate of 1000 to 768000 Hz'),
        (lambda: RecognitionSettings(instruments=()), "instruments is []; expected at least one name"),
        (lambda: RecognitionSettings(runtime="x"), 'runtime is "x"; expected "auto" or "litert" or "tflite"'),
        (lambda: ServerSettings(port=70_000), "port is 70000; expected 0 to 65535"),
        (
            lambda: ServerSettings(host="a:1"),
            'host is "a:1"; expected an address or a name alone; its port is the setting port',
        ),
        (lambda: SessionLogSettings(megabytes=1), "megabytes is 1; expected 2 to 100000"),
        (lambda: SessionLogSettings(file=""), 'file is ""; expected a text that is not empty'),
        (lambda: LoggingSettings(format="xml"), 'format is "xml"; expected "text" or "json"'),
    ],
)
def test_settings_made_by_hand_are_checked_too(make: Callable[[], Any], said: str) -> None:
    """A program that makes its own settings gets the same errors without a place."""
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value) == said


def test_the_example_holds_every_setting_at_its_default(file: Path) -> None:
    """As it is, the example changes nothing; with every # taken away, every setting is the same."""
    text = EXAMPLE.read_text(encoding="utf-8")
    assert tomllib.loads(text) == {room: {} for room in rooms()}
    uncommented = re.sub(r"(?m)^#(?=\w+ = )", "", text)
    told = [(room, key) for room, table in tomllib.loads(uncommented).items() for key in table]
    assert told == [(it.room, it.field.name) for it in declared().values()]
    file.write_text(uncommented)
    assert read({}, {}, file).outdated is None
    settings = load({}, {}, file)
    for name, setting in declared().items():
        value, default = setting.of(settings), setting.field.default
        if name == "hop":
            assert round(value * SAMPLE_RATE / HOP_LENGTH) == default * SAMPLE_RATE / HOP_LENGTH
        elif default is not None:
            assert value == default
    assert len(re.findall(r"(?m)^# .*\n#\w+ = ", text)) == len(names())


def test_the_manual_tells_every_setting() -> None:
    """The manual has a row for each setting, in the same order."""
    manual = MANUAL.read_text(encoding="utf-8")
    told = [
        (room, *row)
        for room, table in re.findall(r"(?m)^### `\[(\w+)\]`\n((?:(?!#).*\n)*)", manual)
        for row in re.findall(r"(?m)^\| `(\w+)` \| `--([\w-]+)` \|", table)
    ]
    assert told == [(it.room, it.field.name, name.replace("_", "-")) for name, it in declared().items()]


def test_the_model_has_its_say(file: Path, tmp_path: Path) -> None:
    """Model, line-up and file are tried, and told with their places."""
    file.write_text('model = "residual"\ninstruments = ["violin", "viola", "kazoo"]\ninput = "/none.wav"\n')
    assert check.problems(read({}, {}, file)) == [
        f'{file}:2: instruments names "viola", which model residual does not know; did you mean violin?',
        f'{file}:2: instruments names "kazoo", which model residual does not know; known are clarinet, '
        "distorted electric guitar, female singer, flute, piano, tenor saxophone, trumpet, violin",
        f'{file}:3: input is "/none.wav": /none.wav: no such file',
    ]
    (tmp_path / "mine.json").write_text("{}")
    (tmp_path / "mine.tflite").write_bytes(b"no model")
    (problem,) = check.problems(read({"model": str(tmp_path / "mine.json")}, {}))
    assert problem.startswith(f'--model is "{tmp_path}/mine.json": model {tmp_path}/mine.json: format is None')
    assert check.problems(read({}, {})) == []


def test_what_needs_no_device_is_tried(file: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Channels of a file, the demo and raw audio, addresses and the log's folder are looked at, and told in order."""
    stereo = tmp_path_factory.mktemp("x") / "stereo.wav"  # short enough to be told whole
    soundfile.write(stereo, np.zeros((100, 2)), 44_100)
    file.write_text(f'session_log = "{tmp_path}"\nhost = "nobody.invalid"\nopen = true\n\nchannel = 3\n')
    for source, channels in (("demo", 1), (str(stereo), 2), ("-", 1)):
        log, host, channel = check.problems(read({"input": source}, {}, file))
        assert log == f'{file}:1: session_log is "{tmp_path}": it is not a file'
        assert host.startswith(f'{file}:2: host is "nobody.invalid": ')
        assert channel == f"{file}:5: channel is 3; the source has {channels}"
    assert check.problems(read({"input": "-", "pcm": "s16le:44100:3", "channel": "3"}, {})) == []
    assert check.problems(read({"input": str(stereo), "loop": True}, {})) == [
        f'--input is "{stereo}": {stereo}: is too short to be repeated; expected 0.1 s at least'
    ]
    assert check.problems(read({"session_log": "/proc/self/log.db"}, {})) != []
    (problem,) = check.problems(read({"session_log": str(file / "log.db")}, {}))
    assert problem.endswith(f": {file} is not a folder")
    assert check.problems(read({"session_log": str(tmp_path / "new" / "log.db"), "host": "localhost"}, {})) == []


def test_settings_without_effect_are_noticed(file: Path) -> None:
    """What the input that is set does not use is named, unless it is at its default."""
    file.write_text('[audio]\ndevice = "USB"\nwait = true\nloop = true\npcm = "s16le:44100:1"\n')
    for source, without in (
        ("mic", ["4: audio.loop"]),
        ("x.wav", ["2: audio.device", "3: audio.wait"]),
        ("-", ["2: audio.device", "3: audio.wait", "4: audio.loop"]),
    ):
        reading = read({"input": source}, {}, file)
        assert check.notes(reading) == [f'{file}:{it} has no effect with input "{source}"' for it in without]
    assert check.notes(read({"pcm": "s16le:48000:1", "input": "demo"}, {})) == ['--pcm has no effect with input "demo"']


def test_what_others_find_wrong_gets_its_place(file: Path) -> None:
    """A message that begins with the name of a setting gets the place of the setting; any other stays as it is."""
    file.write_text('\nhost = "x"\n')
    reading = read({"port": 1}, {}, file)
    assert reading.placed('host is "x": unheard of') == f'{file}:2: host is "x": unheard of'
    assert reading.placed(ConfigError("port is 1")) == "--port is 1"
    assert reading.placed("gate is shut") == "gate is shut"
    assert reading.placed("nothing") == "nothing"


def test_variables_that_are_no_settings_are_noticed() -> None:
    """A misspelt variable is named, with what was meant if that can be told."""
    variables = {"SOLOIST_PROT": "1", "SOLOIST_PORT": "1", "SOLOIST_CONFIG": "x", "SOLOIST_XYZ": "", "PORT": "1"}
    assert check.strays(variables) == [
        "SOLOIST_PROT is not a setting; did you mean SOLOIST_PORT?",
        "SOLOIST_XYZ is not a setting",
    ]


def test_the_nearest_name_is_proposed_whatever_its_case() -> None:
    """Upper and lower case make no difference; what is far from all gets all."""
    assert closest("piANno", ["violin", "Piano"]) == "did you mean Piano?"
    assert closest("x", ["violin", "Piano"]) == "known are violin, Piano"


TOML = st.recursive(
    st.sampled_from(["1", "-1", "1e999", "0xffffffffffffffffffff", "true", '"x"', "nan", "07:32:00", "''", "[", "{"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
)


KEYS = [
    *names(),
    "x",
    "[t]",
    "a.b",
    "[server]\nport",
    "[audio]\nx",
    "[session_log]\ndays",
    "server.token",
    "[[audio]]\nx",
]


@given(st.lists(st.tuples(st.sampled_from(KEYS), TOML), max_size=4), st.binary(max_size=20))
def test_any_file_is_used_or_refused(tmp_path_factory: pytest.TempPathFactory, lines: list[Any], end: bytes) -> None:
    """Whatever a file holds, there are settings, or problems that each name the file on one line."""
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes("\n".join(f"{key} = {value}" for key, value in lines).encode() + b"\n" + end)
    reading = read({}, {}, file)
    assert isinstance(reading.settings, Settings)
    for problem in reading.problems:
        assert problem.startswith(f"{file}:")
