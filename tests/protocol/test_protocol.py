"""What may be said, by either side, and what a subscription lets through."""

from __future__ import annotations

import contextlib
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stream.errors import ProtocolError
from stream.protocol.check import ChannelWarning, Check, CheckedChannel, CheckedLine, HeardElsewhere
from stream.protocol.control import (
    CheckLines,
    DiscardSettings,
    GetSettings,
    KeepSettings,
    StopChecking,
    StopTeaching,
    Teach,
    TrySettings,
)
from stream.protocol.encoding import decode, encode, encode_history
from stream.protocol.filter import Filter
from stream.protocol.messages import (
    Change,
    DeviceChoice,
    Error,
    Front,
    Guess,
    Heard,
    History,
    Label,
    Level,
    Mark,
    Message,
    Origin,
    Outage,
    Pong,
    Segment,
    SettingChoices,
    SettingsNow,
    SettingValues,
    Spectrum,
    Teaching,
)
from stream.protocol.requests import (
    DEFAULT_TYPES,
    MARK_LENGTH,
    TYPES,
    Auth,
    GetHistory,
    Ping,
    SetMark,
    Subscribe,
    parse,
)
from stream.server.history import EventHistory
from tests.support.serving import HELLO, INSTRUMENTS, SCHEMA, STATUS, change, check, label, segment, validator

MESSAGES: list[Message] = [
    HELLO,
    label(412),
    label(3, None),
    label(0, None, 0.0, "warming"),
    change(3, "flute", None),
    segment(1, 3, "flute"),
    Front(108.2, "Anna", "Ben"),
    Guess(1.0, 2.5, "flute", 0.31),
    Level(108.2, -18.0, -5.8, clipped=True),
    Spectrum(108.2, [[-90.5] * 129] * 11),
    STATUS,
    replace(STATUS, message="turn the gain down", warnings=["turn the gain down", "check the cable"]),
    Outage(108.0, None, "USB Audio CODEC", "input 'USB Audio CODEC' was lost"),
    Outage(108.0, 112.5, "USB Audio CODEC", "input 'USB Audio CODEC' was lost"),
    Mark(108.0, "Brücke 🎷"),
    SettingsNow(
        SettingValues("USB Audio", None, ["violin"], 0.255, -70.0, None, "lead"),
        tried=["gate", "line"],
        decided={"model": "--model"},
        file="/etc/soloist/soloist.toml",
        choices=SettingChoices(
            [DeviceChoice("USB Audio", 18, True)],
            18,
            ["lead"],
            ["cello", "violin"],
            ["violin"],
            {"gate": [-120.0, 0.0]},
        ),
        message=None,
    ),
    Teaching("Ben's cello", "listening", 4.2, 10.0, 60.0, "cello", None, None),
    Teaching("Ben's cello", "done", 20.1, 10.0, 60.0, "cello", True, None),
    Teaching("Ben's cello", "failed", 0.0, 10.0, 60.0, None, None, "nothing sounded for 120 s"),
    Check(
        *(108.2, "running", 12.5, 0.0, False),
        [
            CheckedLine(
                *("Anna", [1], ["violin"], "amber", 0.5, "trumpet", -18.2),
                *([HeardElsewhere("violin", [2])], "trumpet", [], "the violin is on 2; on 1 there is a trumpet"),
            )
        ],
        [CheckedChannel(1, None, []), CheckedChannel(2, -3.5, [ChannelWarning("hum", "hums at 50 Hz")])],
        None,
    ),
    Check(
        *(108.2, "ended", 0.0, 1.5, False),
        [CheckedLine("Keys", [4, 9], [], "missing", 0.0, None, None, [], None, [9], "there is no channel 9")],
        [],
        "nobody looked at it for 60 s",
    ),
    History(
        [segment(1, 3, "flute"), segment(3, 9, None)],
        [Guess(1.0, 2.5, "violin", 0.31)],
        [Mark(108.0, "bridge")],
        [Outage(5.0, 6.0, "demo", "gone"), Outage(7.0, None, "demo", "gone")],
        [Origin(-60.0, "1f", "demo", "lead"), Origin(0.0, "2e", "demo", "lead")],
    ),
    History([], [], [], [], []),
    Pong(),
    Error("bad-message", "not JSON"),
]
REQUESTS: list[tuple[dict[str, Any], object]] = [
    ({"type": "auth", "token": "secret"}, Auth("secret")),
    ({"type": "subscribe"}, Subscribe()),
    ({"type": "subscribe", "types": None, "instruments": None, "max_rate": None}, Subscribe()),
    ({"type": "subscribe", "types": []}, Subscribe(types=frozenset())),
    ({"type": "subscribe", "types": sorted(TYPES)}, Subscribe(types=TYPES)),
    (
        {
            "type": "subscribe",
            "types": ["label", "label"],
            "instruments": ["violin"],
            "min_confidence": 0.5,
            "max_rate": 2,
        },
        Subscribe(frozenset({"label"}), frozenset({"violin"}), 0.5, 2.0),
    ),
    ({"type": "history", "seconds": 0}, GetHistory(0.0)),
    ({"type": "history", "seconds": 600.5}, GetHistory(600.5)),
    ({"type": "history", "seconds": 10**400}, GetHistory(1e9)),
    ({"type": "mark", "text": "x" * MARK_LENGTH}, SetMark("x" * MARK_LENGTH)),
    ({"type": "mark", "text": "Brücke 🎷"}, SetMark("Brücke 🎷")),
    ({"type": "mark", "text": "\ta\r\n\x00b\x1b[31m\u2028c\x9f "}, SetMark("a b [31m c")),
    ({"type": "mark", "text": "\u202eegdirb\u202c \u2066x\u2069 \u05d0\u200f"}, SetMark("egdirb x \u05d0\u200f")),
    ({"type": "mark", "text": "bridge", "ago": 4.2}, SetMark("bridge", 4.2)),
    ({"type": "mark", "text": "bridge", "ago": 600}, SetMark("bridge", 600.0)),
    ({"type": "teach", "name": " Ben\n"}, Teach("Ben")),
    ({"type": "teach", "name": "Ben", "like": "cello"}, Teach("Ben", like="cello")),
    ({"type": "teach", "name": "Ben", "like": "None", "line": None}, Teach("Ben", apart=True)),
    ({"type": "stop-teaching"}, StopTeaching()),
    ({"type": "stop-teaching", "discard": True}, StopTeaching(discard=True)),
    ({"type": "check-lines"}, CheckLines()),
    ({"type": "stop-checking"}, StopChecking()),
    ({"type": "settings"}, GetSettings()),
    ({"type": "try-settings"}, TrySettings({})),
    (
        {"type": "try-settings", "values": {"gate": -50}, "lines": [{"line": "Anna", "gain": 6}]},
        TrySettings({"gate": -50}, ({"line": "Anna", "gain": 6},)),
    ),
    ({"type": "keep-settings"}, KeepSettings()),
    ({"type": "discard-settings"}, DiscardSettings()),
    ({"type": "ping"}, Ping()),
    ({"type": "ping", "unknown": ["field"]}, Ping()),
]
REQUESTS += [({"type": "mark", "text": "Bru\u0308cke"}, SetMark("Br\u00fccke"))]
# Malformed and against the schema, too.
MISTAKES: list[dict[str, Any]] = [
    {"type": "teach", "name": ""},
    {"type": "teach", "name": "x" * 101},
    {"type": "teach", "name": "Ben", "like": 5},
    {"type": "stop-teaching", "discard": None},
    {"type": "try-settings", "values": [1]},
    {"type": "try-settings", "lines": {"Anna": 1}},
    {"type": "try-settings", "lines": ["Anna"]},
    {"type": "auth"},
    {"type": "auth", "token": 5},
    {"type": "auth", "token": ""},
    {"type": "auth", "token": "x" * 1001},
    {"type": "subscribe", "types": "label"},
    {"type": "subscribe", "types": {"label": True}},
    {"type": "subscribe", "types": [1]},
    {"type": "subscribe", "types": ["hello"]},
    {"type": "subscribe", "instruments": "violin"},
    {"type": "subscribe", "instruments": [["violin"]]},
    {"type": "subscribe", "min_confidence": -0.1},
    {"type": "subscribe", "min_confidence": 1.1},
    {"type": "subscribe", "min_confidence": None},
    {"type": "subscribe", "min_confidence": "0.5"},
    {"type": "subscribe", "min_confidence": True},
    {"type": "subscribe", "max_rate": 0},
    {"type": "subscribe", "max_rate": -1},
    {"type": "subscribe", "max_rate": 10**400},
    {"type": "subscribe", "max_rate": "4"},
    {"type": "history"},
    {"type": "history", "seconds": -1},
    {"type": "history", "seconds": "600"},
    {"type": "history", "seconds": None},
    {"type": "history", "seconds": [600]},
    {"type": "mark"},
    {"type": "mark", "text": ""},
    {"type": "mark", "text": "\n \x00\u202e"},
    {"type": "mark", "text": "x" * (MARK_LENGTH + 1)},
    {"type": "mark", "text": ["bridge"]},
    {"type": "mark", "text": "bridge", "ago": -0.1},
    {"type": "mark", "text": "bridge", "ago": 601},
    {"type": "mark", "text": "bridge", "ago": "a while"},
]
# What a schema of JSON cannot say.
NONSENSE: list[str | bytes] = [
    "",
    "hello",
    "{",
    "null",
    "3",
    '"ping"',
    '["ping"]',
    "{}",
    '{"type":null}',
    '{"type":["ping"]}',
    '{"type":"history","seconds":NaN}',
    '{"type":"history","seconds":Infinity}',
    '{"type":"history","seconds":-Infinity}',
    '{"type":"mark","text":"\\ud83c"}',
    '{"type":"auth","token":"\\udfb7"}',
    '{"type":"subscribe","instruments":["kazoo"]}',
    '{"type":"ping"} {"type":"ping"}',
    "[" * 4000,
    '{"a":' * 800,
    '{"type":"history","seconds":' + "9" * 4400 + "}",
    b'{"type":"ping"}',
    b"\x00\xff\xfe",
    b"",
]


def test_schema_is_valid() -> None:
    """The schema is one of JSON Schema 2020-12, and says so."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


# Not of what is expected: a set is written in another order in each process.
@pytest.mark.parametrize(("request_", "expected"), REQUESTS, ids=[str(request)[:60] for request, _ in REQUESTS])
def test_requests_are_understood(request_: dict[str, Any], expected: object) -> None:
    """Every request that the schema describes is read as it was meant."""
    validator("client").validate(request_)
    assert parse(json.dumps(request_), INSTRUMENTS) == expected


def test_instruments_are_named_in_either_form() -> None:
    """A subscription may write accents as macOS does, and names with commas as they are."""
    text = json.dumps({"type": "subscribe", "instruments": ["Flo\u0308te", "guitar, distorted"]})
    request = parse(text, ["Fl\u00f6te", "guitar, distorted", "violin"])
    assert request == Subscribe(instruments=frozenset({"Fl\u00f6te", "guitar, distorted"}))
    with pytest.raises(ProtocolError, match=r'expected some of Fl\u00f6te, "guitar, distorted"'):
        parse('{"type":"subscribe","instruments":["viola"]}', ["Fl\u00f6te", "guitar, distorted"])


@pytest.mark.parametrize("request_", MISTAKES, ids=lambda value: str(value)[:60])
def test_mistakes_are_told(request_: dict[str, Any]) -> None:
    """A field that is missing or out of range is a bad message that names the field, for the schema as well."""
    assert not validator("client").is_valid(request_)
    alone = {"auth": "token", "history": "seconds", "mark": "text"}
    field = "ago" if "ago" in request_ else alone.get(request_["type"]) or list(request_)[-1]
    with pytest.raises(ProtocolError, match=f"^{field} ") as error:
        parse(json.dumps(request_), INSTRUMENTS)
    assert error.value.code == "bad-message"


@pytest.mark.parametrize("data", NONSENSE, ids=lambda value: repr(value[:40]))
def test_nonsense_is_told(data: str | bytes) -> None:
    """What is no request at all is a bad message, in one short line."""
    with pytest.raises(ProtocolError) as error:
        parse(data, INSTRUMENTS)
    assert error.value.code == "bad-message"
    assert len(str(error.value)) < 250
    assert "\n" not in str(error.value)


def test_unknown_types_are_told_apart() -> None:
    """A type of a later version is told by a code of its own, and not repeated at length."""
    with pytest.raises(ProtocolError, match="dance") as error:
        parse('{"type":"dance' + "!" * 3000 + '"}', INSTRUMENTS)
    assert error.value.code == "unknown-type"
    assert len(str(error.value)) < 150


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.fixed_dictionaries(
    {"type": st.sampled_from(["auth", "subscribe", "history", "mark", "ping", "label"]) | JSON},
    optional={
        "token": JSON,
        "types": JSON | st.lists(st.sampled_from(sorted(TYPES))),
        "instruments": JSON | st.lists(st.sampled_from(INSTRUMENTS)),
        "min_confidence": JSON,
        "max_rate": JSON,
        "seconds": JSON,
        "text": JSON,
        "ago": JSON,
    },
)


@given(st.text() | st.binary() | JSON.map(json.dumps) | FIELDS.map(json.dumps))
def test_whatever_is_sent_is_a_request_or_a_protocol_error(data: str | bytes) -> None:
    """No input raises anything but ProtocolError, and every request holds usable values."""
    try:
        request = parse(data, INSTRUMENTS)
    except ProtocolError as error:
        check(encode(Error(error.code, str(error))))
        return
    if isinstance(request, Subscribe):
        assert request.types <= TYPES
        assert 0 <= request.min_confidence <= 1
        assert request.max_rate is None or 0.001 <= request.max_rate <= 1000
    if isinstance(request, GetHistory):
        assert 0 <= request.seconds <= 1e9
    if isinstance(request, SetMark):
        check(encode(Mark(request.ago, request.text)))
        assert request.ago <= 600


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
def test_messages_survive_the_wire(message: Message) -> None:
    """Every message follows the schema when encoded, and is the same when decoded."""
    text = encode(message)
    assert check(text)["type"] == message.type
    assert decode(text) == message
    assert decode(text.encode()) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
def test_fields_of_another_kind_are_refused(message: Message) -> None:
    """A message with any field of a wrong kind is no message, rather than a surprise for whoever reads it."""
    fields = json.loads(encode(message))
    for name in fields.keys() - {"type"}:
        for wrong in ({"a": ["b"]}, [["b"]], [None]):
            with pytest.raises(ProtocolError):
                decode(json.dumps(fields | {name: wrong}))


def test_documentation_gives_true_examples() -> None:
    """Every message that the documentation shows follows the schema, and parses."""
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    shown = [line for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert len(shown) > 10
    for line in shown:
        if validator("client").is_valid(json.loads(line)):
            parse(line, INSTRUMENTS, ["Anna", "Ben"])
        else:
            check(line)
            decode(line)


def test_schema_knows_no_other_message() -> None:
    """Every message of the schema is one of these tests'."""
    kinds = [reference["$ref"].rpartition("/")[2] for reference in SCHEMA["$defs"]["server"]["oneOf"]]
    assert sorted(kinds) == sorted({message.type for message in MESSAGES})


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
def test_schema_is_exact(message: Message) -> None:
    """The schema refuses a message with a field too many, and one with a field too few."""
    fields = json.loads(encode(message))
    assert not validator("server").is_valid({**fields, "more": 1})
    for missing in fields:
        assert not validator("server").is_valid({key: value for key, value in fields.items() if key != missing})


def test_later_versions_are_ignored() -> None:
    """A type that is not known decodes to nothing, a field that is not known is left out."""
    assert decode('{"type":"applause","decibels":90}') is None
    later = json.loads(encode(change(3, "flute", None)))
    later |= {"encore": True, "previous": {**later["previous"], "encore": False}}
    assert decode(json.dumps(later)) == change(3, "flute", None)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"label"', "{}", '{"type":[]}', '{"type":"mark"}', "[" * 9999])
def test_decoding_nonsense_is_a_protocol_error(text: str) -> None:
    """What is no message raises ProtocolError."""
    with pytest.raises(ProtocolError):
        decode(text)


@given(st.text() | st.binary() | JSON.map(json.dumps))
def test_decoding_raises_nothing_else(data: str | bytes) -> None:
    """Whatever a server sends, decoding it gives a message, nothing or ProtocolError."""
    with contextlib.suppress(ProtocolError):
        message = decode(data)
        assert message is None or decode(encode(message)) == message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_without_a_value_are_refused(value: float) -> None:
    """What JSON cannot tell is not sent."""
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        encode(Level(1.0, value, -6.0, clipped=False))
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        encode(replace(label(1), probabilities={"violin": value}))


def test_numbers_are_rounded() -> None:
    """Numbers have four digits after the point at the most."""
    assert json.loads(encode(Level(1 / 3, -18.123456, -6.0, clipped=False)))["time"] == 0.3333


def test_history_of_encoded_parts_is_the_history() -> None:
    """A history put together from texts is the one that the encoder makes."""
    history = History(
        segments=[segment(i, i + 1, "flute") for i in range(3)],
        guesses=[Guess(0.25, 0.75, "piano", 0.2), Guess(1.0, 1.5, "violin", 0.4)],
        marks=[Mark(0.5, 'a "bridge"'), Mark(2.0, "🎷")],
        outages=[Outage(2.0, 3.0, "a stage", "gone"), Outage(4.0, None, "a stage", "gone")],
        origins=[Origin(0.0, "1f", "a stage", "lead"), Origin(1.5, "1f", "a stage", "small")],
    )
    parts = (history.segments, history.guesses, history.marks, history.outages, history.origins)
    assert "".join(encode_history(*(map(encode, part) for part in parts))) == encode(history)
    assert "".join(encode_history([], [], [], [])) == encode(History([], [], [], []))


def test_recent_reaches_back_as_far_as_asked() -> None:
    """A history has what ends after a time and the marks from then on, oldest first."""
    recent = EventHistory()
    for i in range(4):
        recent.add(segment(4 * i, 4 * i + 4, "flute"))  # a second each
        recent.add(Guess(float(i), i + 1.0, "violin", 0.2))
        recent.add(Mark(float(i), f"bar {i}"))
        recent.add(Outage(i + 0.5, i + 1.0, "a stage", "gone"))
    history = decode("".join(recent.since(2.0)))
    assert isinstance(history, History)
    assert [(part.start, part.end) for part in history.segments] == [(2.0, 3.0), (3.0, 4.0)]
    assert [(guess.start, guess.end) for guess in history.guesses] == [(2.0, 3.0), (3.0, 4.0)]
    assert [mark.text for mark in history.marks] == ["bar 2", "bar 3"]
    assert [(outage.start, outage.end) for outage in history.outages] == [(2.5, 3.0), (3.5, 4.0)]


def test_marks_are_told_in_the_order_of_their_moments() -> None:
    """A note that was written for long stands where its moment was, before one that came in between."""
    recent = EventHistory()
    for time in (1.0, 5.0, 3.0):
        recent.add(Mark(time, f"at {time}"))
    history = decode("".join(recent.since(0.0)))
    assert isinstance(history, History)
    assert [mark.time for mark in history.marks] == [1.0, 3.0, 5.0]


def test_an_outage_that_ends_takes_its_own_place() -> None:
    """The history has an outage once, without an end as long as the source is away, however far back it is."""
    recent = EventHistory()
    recent.add(Outage(1.0, 2.0, "a stage", "gone"))
    recent.add(Outage(5.0, None, "a stage", "gone"))
    away = decode("".join(recent.since(60.0)))
    recent.add(Outage(5.0, 70.0, "a stage", "gone"))
    back = decode("".join(recent.since(0.0)))
    assert isinstance(away, History)
    assert isinstance(back, History)
    assert [(outage.start, outage.end) for outage in away.outages] == [(5.0, None)]
    assert [(outage.start, outage.end) for outage in back.outages] == [(1.0, 2.0), (5.0, 70.0)]


def test_longest_history_fits_a_usual_client() -> None:
    """However long show, marks and names, a history has less than 1 MiB, the limit of many WebSocket clients.

    It has at least as many of the newest as the documentation says.
    """
    recent = EventHistory()
    name = "distorted electric guitar"
    for i in range(10_000):
        start, end = 80_000 + i / 7, 80_000 + (i + 1) / 7
        recent.add(Segment(start, end, "instrument", name, 0.5 + 1e-4))
        recent.add(Guess(start, end, name, 0.5 + 1e-4))
        recent.add(Mark(start, "🎷" * MARK_LENGTH))
        recent.add(Outage(start, None, "x" * 100, f"input {'x' * 100!r} delivers nothing"))
        recent.add(Outage(start, end, "x" * 100, f"input {'x' * 100!r} delivers nothing"))
        recent.begin(Origin(start, "9f3a61c0d2b7e845", "x" * 100, "y" * 50))
    text = "".join(recent.since(0.0))
    assert len(text.encode()) < 2**20
    history = check(text)
    for part, least in (("segments", 3000), ("guesses", 800), ("marks", 200), ("outages", 100), ("origins", 20)):
        assert len(history[part]) >= least
    for part in ("segments", "guesses", "outages"):
        assert history[part][-1]["end"] == round(80_000 + 10_000 / 7, 4)
    assert history["marks"][-1]["time"] == history["origins"][-1]["start"] == round(80_000 + 9_999 / 7, 4)


def test_a_name_without_end_makes_no_history_without_end() -> None:
    """An outage that alone is too long for a history is left out, and those after it are kept."""
    recent = EventHistory()
    for end in (None, 2.0):
        recent.add(Outage(1.0, end, "x" * 2**20, "gone"))
    recent.add(Outage(5.0, None, "a stage", "gone"))
    history = check("".join(recent.since(0.0)))
    assert [outage["start"] for outage in history["outages"]] == [5.0]


VIOLIN = Subscribe(instruments=frozenset({"violin"}))


def passed(subscription: Subscribe, *names: str | None, confidence: float = 0.9) -> list[tuple[int, str | None]]:
    """Return the hops whose labels pass, with the label that is told."""
    chosen = Filter(subscription)
    hops = [label(i, name, confidence) for i, name in enumerate(names)]
    return [(it.seq, it.label) for hop in hops for it in chosen.admit(hop) if isinstance(it, Label)]


def of_hops(subscription: Subscribe, *hops: tuple[str | None, float]) -> list[tuple[str, str, str | None]]:
    """Return what is told of hops with names and confidences, as the service publishes them: type, state, label."""
    chosen, before, told = Filter(subscription), Heard("silence", None), list[Message]()
    chosen.begin(label(0, None, 0.0, "silence"))
    for seq, (name, confidence) in enumerate(hops, start=1):
        now = label(seq, name, confidence)
        heard = Heard(now.state, now.label)
        if heard != before:
            told += chosen.admit(Change(now.time, *(now.state, now.label), before))
        told += chosen.admit(now)
        before = heard
    return [(it.type, it.state, it.label) for it in told if isinstance(it, Change | Label)]


def test_types_are_chosen() -> None:
    """A subscriber gets the types it named, and those that are answers or concern the connection."""
    for types in (frozenset[str](), DEFAULT_TYPES, TYPES, frozenset({"level"})):
        for message in MESSAGES:
            expected = message.type in types or message.type not in TYPES
            assert Filter(Subscribe(types=types)).admit(message) == ((message,) if expected else ())


def test_without_filters_everything_passes() -> None:
    """Without instruments, silence and the unknown pass as well."""
    assert passed(Subscribe(), None, "violin", None, None) == [(0, None), (1, "violin"), (2, None), (3, None)]


def test_one_message_tells_that_what_matched_has_ended() -> None:
    """Of labels that do not match only the first after a matching one passes, and without the name of another."""
    told = passed(VIOLIN, "flute", None, "violin", "violin", "flute", "piano", "violin", None, None)
    assert told == [(2, "violin"), (3, "violin"), (4, None), (6, "violin"), (7, None)]


def test_what_was_not_asked_for_is_unknown() -> None:
    """The end is told as unknown, from then on, with the probability of none of those that were asked for."""
    chosen = Filter(Subscribe(instruments=frozenset({"violin", "flute"})))
    chosen.begin(label(7, "violin"))
    piano = replace(label(8, "piano"), probabilities={"piano": 0.6, "violin": 0.1, "flute": 0.2}, since=1.0)
    (told,) = chosen.admit(piano)
    assert isinstance(told, Label)
    assert (told.state, told.label, told.since) == ("unknown", None, piano.time)
    assert told.confidence == pytest.approx(0.7)
    check(encode(told))
    for state in ("silence", "warming", "unknown"):
        chosen.begin(label(7, "violin"))
        nothing = label(8, None, 0.0, state)  # type: ignore[arg-type]
        assert chosen.admit(nothing) == (replace(nothing, since=nothing.time),)


def test_changes_name_what_was_asked_for_and_nothing_else() -> None:
    """A change that ends has no label, and neither has the past of one that begins after another instrument."""
    chosen = Filter(VIOLIN)
    assert chosen.admit(change(1, "piano", None)) == ()
    assert chosen.admit(change(2, "violin", "piano")) == (change(2, "violin", None),)
    assert chosen.admit(change(3, "flute", "violin")) == (change(3, None, "violin"),)
    assert chosen.admit(change(4, None, "flute")) == ()
    assert chosen.admit(change(5, "violin", None)) == (change(5, "violin", None),)
    silence = Change(1.5, "silence", None, Heard("instrument", "violin"))
    assert chosen.admit(silence) == (silence,)


def test_an_uncertain_label_ends_a_certain_one() -> None:
    """A label below the wanted confidence counts as not matching, and is told as nothing once."""
    hops = [("violin", confidence) for confidence in (0.4, 0.5, 0.6, 0.4, 0.3, 0.9)]
    told = of_hops(Subscribe(frozenset({"label"}), min_confidence=0.5), *hops)
    assert [name for _, _, name in told] == ["violin", "violin", None, "violin"]


def test_a_change_comes_when_the_label_is_sure_enough() -> None:
    """With a confidence, a change is told with the first label that has it, and its end with the first without."""
    told = of_hops(
        Subscribe(frozenset({"change"}), min_confidence=0.6),
        *[("violin", 0.4), ("violin", 0.7), ("violin", 0.9), ("flute", 0.5), ("flute", 0.8), (None, 0.5), (None, 0.4)],
        *[("flute", 0.9), (None, 0.9)],
    )
    assert told == [
        ("change", "instrument", "violin"),
        ("change", "unknown", None),
        ("change", "instrument", "flute"),
        ("change", "unknown", None),
        ("change", "instrument", "flute"),
        ("change", "unknown", None),
    ]


@given(
    st.lists(st.tuples(st.sampled_from([None, "flute", "piano", "violin"]), st.sampled_from([0.2, 0.55, 0.9]))),
    st.sampled_from([frozenset({"violin"}), frozenset({"violin", "flute"})]),
    st.sampled_from([0.0, 0.5, 0.8]),
    st.sampled_from([None, 1.0]),
)
def test_no_subscription_is_told_a_name_that_it_did_not_ask_for(
    hops: list[tuple[str | None, float]], names: frozenset[str], confidence: float, rate: float | None
) -> None:
    """Whatever is heard, no name comes but those asked for, and each that comes is followed by its end or another."""
    wanted = Subscribe(frozenset({"label", "change"}), names, confidence, rate)
    chosen, changes, before = Filter(wanted), list[Change](), Heard("warming", None)
    for seq, (name, sure) in enumerate(hops):
        now = label(seq, name, sure)
        heard = Heard(now.state, now.label)
        told = [
            *(chosen.admit(Change(now.time, now.state, now.label, before)) if heard != before else ()),
            *chosen.admit(now),
        ]
        before = heard
        for message in told:
            check(encode(message))
            assert isinstance(message, Label | Change)
            assert message.label is None or message.label in names
            if isinstance(message, Label):
                assert message.label is None or message.confidence >= confidence
            else:
                assert message.previous.label is None or message.previous.label in names
                changes.append(message)
        known = changes[-1].label if changes else None
        assert known == (name if name in names and sure >= confidence else None)


def test_segments_are_judged_by_themselves() -> None:
    """A segment or a guess passes if it matches; one that does not is never needed to end anything."""
    chosen = Filter(Subscribe(TYPES, instruments=frozenset({"violin"}), min_confidence=0.5))
    assert chosen.admit(segment(0, 1, "violin"))
    assert not chosen.admit(segment(1, 2, "flute"))
    assert not chosen.admit(segment(2, 3, "violin", 0.4))
    assert not chosen.admit(segment(3, 4, None))
    assert chosen.admit(Guess(0.0, 1.0, "violin", 0.5))
    assert not chosen.admit(Guess(0.0, 1.0, "violin", 0.4))
    assert not chosen.admit(Guess(0.0, 1.0, "flute", 0.9))


def test_each_type_has_an_end_of_its_own() -> None:
    """The label that ended does not use up the change that tells the same."""
    chosen = Filter(VIOLIN)
    assert chosen.admit(change(1, "violin", None))
    assert chosen.admit(label(1, "violin"))
    assert chosen.admit(label(2, "flute"))
    assert chosen.admit(change(2, "flute", "violin"))


def test_rate_is_one_of_stream_time() -> None:
    """Labels are at least the wanted distance apart, whatever hops they come at."""
    for rate, hops in ((2, [0, 2, 4, 6]), (1000, [*range(7)]), (1.5, [0, 3, 6])):
        assert [seq for seq, _ in passed(Subscribe(max_rate=rate), *["violin"] * 7)] == hops


def test_rate_limits_labels_and_levels_apart() -> None:
    """Labels and levels are counted each for themselves, and events never."""
    chosen = Filter(Subscribe(types=TYPES, max_rate=0.01))
    levels = [Level(i / 20, -18.0, -6.0, clipped=False) for i in range(3)]
    assert chosen.admit(label(0))
    assert [chosen.admit(level) for level in levels] == [(levels[0],), (), ()]
    assert not chosen.admit(label(1))
    assert all(chosen.admit(change(i, "violin", None)) for i in range(3))
    assert all(chosen.admit(segment(i, i + 1, "violin")) for i in range(3))
    assert all(chosen.admit(Mark(0.0, "bridge")) for _ in range(3))


def test_ending_outlives_the_rate() -> None:
    """The end of what matched is told as soon as the rate allows."""
    told = passed(replace(VIOLIN, max_rate=1), "violin", "flute", "flute", "flute", "flute", "flute")
    assert told == [(0, "violin"), (4, None)]


def test_rate_starts_over_with_the_stream() -> None:
    """A label of an earlier stream time than the last one begins a new stream and passes."""
    chosen = Filter(Subscribe(max_rate=0.1))
    assert chosen.admit(label(100))
    assert chosen.admit(label(0))
    assert not chosen.admit(label(1))


def test_answer_counts_as_told() -> None:
    """After the answer of a subscription, its end is told as a label and as a change, and its rate counts."""
    chosen = Filter(replace(VIOLIN, max_rate=2))
    assert chosen.begin(label(8, "violin")) == label(8, "violin")
    assert not chosen.admit(label(9, "violin"))
    assert chosen.admit(change(10, "flute", "violin"))
    assert chosen.admit(label(10, "flute"))
    assert not chosen.admit(label(12, "flute"))
    assert not chosen.admit(change(13, None, "flute"))


def test_answer_that_does_not_match_has_no_end() -> None:
    """An answer names nothing else either, and after it only what matches is told."""
    chosen = Filter(VIOLIN)
    answer = chosen.begin(label(8, "flute"))
    assert answer is not None
    assert (answer.seq, answer.state, answer.label) == (8, "unknown", None)
    assert not chosen.admit(label(9, "flute"))
    assert not chosen.admit(change(10, None, "flute"))
    assert chosen.admit(label(11, "violin"))


def test_first_label_is_the_answer_when_there_was_none() -> None:
    """A subscription made before the first label gets that one, without a name that was not asked for."""
    for first in (label(0, None, 0.0, "warming"), label(0, "piano")):
        chosen = Filter(VIOLIN)
        assert chosen.begin(None) is None
        assert [it.label for it in chosen.admit(first) if isinstance(it, Label)] == [None]
        assert not chosen.admit(label(1, "piano"))
        assert chosen.admit(label(2, "violin"))


def test_changes_carry_their_past() -> None:
    """A change names what was heard before, without a type of its own."""
    text = encode(Change(1.0, "silence", None, Heard("instrument", "flute")))
    assert json.loads(text)["previous"] == {"state": "instrument", "label": "flute"}
