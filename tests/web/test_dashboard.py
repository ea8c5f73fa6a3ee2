"""The dashboard, in headless Chromium against the running service."""

import asyncio
import dataclasses
import itertools
import json
import wave

import pytest
from websockets.asyncio.client import connect

from stream.bench.demo_audio import demo_audio
from stream.recognition.mel import SAMPLE_RATE
from tests.support.browser import MINUS, NOTHING, SHOWN, forward, labels_of
from tests.support.serving import HELLO, STATUS, staged

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRETCH = {"start": 1.0, "end": 2.0, "confidence": 0.5}
SEGMENT = {"type": "segment", "state": "instrument", "label": "violin"} | STRETCH
GUESS = {"type": "guess", "label": "flute"} | STRETCH
MARK = {"type": "mark", "time": 1.5, "text": "bridge"}
OUTAGE = {"type": "outage", "start": 2.0, "end": None, "source": "a stage", "reason": "it was unplugged"}
MESSAGES = [
    dataclasses.asdict(HELLO) | {"type": "hello"},
    dataclasses.asdict(STATUS) | {"type": "status", "message": "Plug it in.", "warnings": ["Turn it down."]},
    {"type": "label", "seq": 9, "time": 2.25, "state": "instrument", "label": "violin", "since": 1.0, "confidence": 0.9,
     "probabilities": {"violin": 0.9}, "raw": {"violin": 0.8}, "rms": -18.0, "peak": -6.0},
    {"type": "change", "time": 2.25, "state": "unknown", "label": None,
     "previous": {"state": "silence", "label": None}},
    SEGMENT, GUESS, MARK, OUTAGE,
    {"type": "history", "segments": [SEGMENT], "guesses": [GUESS], "marks": [MARK], "outages": [OUTAGE]},
    {"type": "level", "time": 2.25, "rms": -18.0, "peak": -6.0, "clipped": False},
    {"type": "spectrum", "time": 2.25, "frames": [[-40.0] * 129] * 11},
    {"type": "error", "code": "bad-message", "message": "no"},
    {"type": "pong"},
]  # fmt: skip
"""One of each type that a server sends."""
EARLY = "closed before the connection is established"
"""What Chromium says when another token comes while the page tries again with the former."""


def spoilt(part):
    """Yield a part of a message in many ways in which it must not be: itself, or a part of it, is another or gone."""
    yield from (None, -1, 1e308, "\u202e" + 300 * "x", [], {})
    match part:
        case dict():
            for name in part:
                rest = {other: value for other, value in part.items() if other != name}
                yield rest
                yield from (rest | {name: worse} for worse in spoilt(part[name]))
        case [first, *others]:
            yield from ([worse, *others] for worse in spoilt(first))


async def test_warming_shows_progress_and_then_a_label(serve, open_tab):
    """A fresh service is shown warming up, with the seconds heard so far, until the first estimate."""
    service = await serve("--input", "-", "--pcm", f"s16le:{SAMPLE_RATE}:1", stdin=asyncio.subprocess.PIPE)
    tab = await open_tab(service.url)
    await tab.page.wait_for_selector("#link[data-phase=live]")
    audio = (32767 * demo_audio()).astype("<i2")

    async def play(start, end):
        service.process.stdin.write(audio[start * SAMPLE_RATE : end * SAMPLE_RATE].tobytes())
        await service.process.stdin.drain()

    await play(0, 1)
    await tab.is_in("warming")
    assert await tab.page.locator(".now-gauge").is_visible()
    assert {value for _, value, _, _ in (await tab.shown())["rows"]} == {NOTHING}
    await tab.page.wait_for_function("() => /^[01]\\.\\d s$/.test(document.querySelector('.now-figure').textContent)")
    await play(1, 2)
    await tab.page.wait_for_function("() => parseFloat(document.querySelector('.now-figure').textContent) > 1.5")
    await play(2, 6)
    await tab.is_in("instrument", "unknown")


async def test_bars_show_what_another_client_receives(service, open_tab):
    """Every instrument has a bar of its smoothed and a mark at its raw probability, as any client is told."""
    async with labels_of(service) as find:
        tab = await open_tab(service.url)
        shown = await tab.estimate()
        label = await find(shown)
    assert len(shown["rows"]) == 8
    assert shown["kind"] == label["state"]
    if label["state"] == "instrument":
        assert shown["name"].lower() == label["label"]


async def test_title_and_live_region_tell_the_instrument(service, open_tab):
    """The title and the polite live region say what the large type says."""
    page = (await open_tab(service.url)).page
    await page.wait_for_selector("#now[data-kind=instrument]")
    await page.wait_for_function("""() => {
        const name = document.querySelector('.now-name').textContent;
        return document.title === `${name} · Soloist` && document.querySelector('#announcer').textContent === name;
    }""")
    assert await page.get_attribute("#announcer", "aria-live") == "polite"
    assert await page.get_attribute("html", "lang") == "en"


async def test_level_moves(service, open_tab):
    """The level's bar, peak mark and figures follow the input."""
    page = (await open_tab(service.url)).page
    await page.wait_for_function(
        "() => /^\\u2212\\d+\\.\\d dBFS$/.test(document.querySelector('[data-figure=rms]').textContent)"
    )
    for selector in (".meter-cover", ".meter-peak"):
        old = await page.evaluate("selector => document.querySelector(selector).style.transform", selector)
        await page.wait_for_function(
            "([selector, old]) => document.querySelector(selector).style.transform !== old", arg=[selector, old]
        )
    assert await page.get_attribute(".clip", "data-lit") == "false"


async def test_facts_name_source_and_model(service, open_tab):
    """The service's source, model and figures are told."""
    async with connect(f"ws://{service.address}/ws") as client:
        hello = json.loads(await client.recv())
    page = (await open_tab(service.url)).page
    await page.wait_for_function(
        "() => /^\\d+\\.\\d of \\d+ ms$/.test(document.querySelector('[data-fact=hop]').textContent)"
    )
    assert await page.inner_text("[data-fact=source]") == hello["source"]
    assert await page.inner_text("[data-fact=model]") == hello["model"]
    assert int(await page.inner_text("[data-fact=clients]")) >= 0


async def test_lost_server_leaves_no_label_and_is_found_again(serve, open_tab):
    """Killing the server replaces the label at once, and starting it again on its port brings the page back."""
    service = await serve("--input", "demo")
    tab = await open_tab(service.url)
    tab.expected = "^WebSocket connection to .* failed"  # what Chromium says of every attempt
    await tab.is_in("instrument", "unknown")
    before = (await tab.shown())["name"]
    await service.kill()
    await tab.is_in("offline")
    shown = await tab.shown()
    assert shown["name"] == "No connection" != before
    assert {value for _, value, _, _ in shown["rows"]} == {NOTHING}
    assert await tab.page.title() == "No connection · Soloist"
    assert await tab.page.inner_text("#announcer") == "No connection"
    assert not await tab.page.is_visible(".now-gauge")
    assert await tab.page.inner_text("[data-figure=rms]") == NOTHING
    await tab.page.wait_for_function("() => /Trying/.test(document.querySelector('.now-detail').textContent)")
    await tab.page.wait_for_function("() => /Reconnecting/.test(document.querySelector('#link').textContent)")
    await serve("--input", "demo", "--port", service.port)
    await tab.page.wait_for_selector("#link[data-phase=live]")
    await tab.is_in("warming", "instrument", "unknown")


async def test_pauses_double_up_to_eight_seconds(service, open_tab):
    """Attempts to reconnect come after half a second, twice as much, and so on up to 8 s, less up to a quarter."""
    page = (await open_tab(service.url)).page
    longest, shortest = await page.evaluate("""async () => {
        const { pause } = await import('/connection.js');
        return [1, 0].map((chance) => [0, 1, 2, 3, 4, 5, 50].map((failures) => pause(failures, chance)));
    }""")
    assert longest == [500, 1000, 2000, 4000, 8000, 8000, 8000]
    assert shortest == [0.75 * time for time in longest]


async def test_label_without_successor_goes_away(service, open_tab):
    """When labels cease while the connection lives, the last one is not shown for longer than 3 s."""
    tab = await open_tab()
    ceased = False
    await tab.page.route_web_socket(
        "**/ws", lambda socket: forward(socket, lambda m: None if ceased and m["type"] == "label" else m)
    )
    await tab.page.clock.install()
    await tab.page.goto(service.url)
    await tab.is_in("instrument", "unknown", "silence")
    ceased = True
    await tab.page.clock.run_for(4_000)  # not of a busy machine's time
    shown = await tab.shown()
    assert shown["kind"] == "stalled"
    assert shown["name"] == "No labels"
    assert {value for _, value, _, _ in shown["rows"]} == {NOTHING}
    assert await tab.page.get_attribute("#link", "data-phase") == "live"


async def test_status_tells_a_missing_input_in_words(service, open_tab):
    """A source that is waited for takes the label away, and what the status asks to be done stands above."""
    tab = await open_tab()
    status = {"source": "waiting", "message": "no input matches 'USB'; plug it in"}
    await tab.page.route_web_socket(
        "**/ws", lambda socket: forward(socket, lambda m: m | status if m["type"] == "status" else m)
    )
    await tab.page.goto(service.url)
    await tab.is_in("stalled")
    assert (await tab.shown())["name"] == "No input"
    assert await tab.page.inner_text("#warning") == "No input matches 'USB'; plug it in"
    # Nothing is green that does not hear anything.
    assert await tab.page.inner_text("#link") == "Connected"
    assert await tab.page.get_attribute("#link", "data-live") == "false"
    await tab.page.wait_for_selector(".timeline-live[data-live=false]", state="attached")


async def test_all_that_is_to_be_mended_is_told_once(publisher, open_tab):
    """Every warning of the status stands above, the message first, and they go when they are mended."""
    page = (await open_tab(publisher.page)).page
    warnings = ["the input is clipped: turn it down", "the input has a DC offset", "<b>a cable"]
    publisher.stage.server.publish(dataclasses.replace(STATUS, message=warnings[1], warnings=warnings))
    region = page.locator("#warning")
    await region.get_by_text("clipped").wait_for()
    assert await region.locator("p").all_inner_texts() == [
        "The input has a DC offset", "The input is clipped: turn it down", "<b>a cable",
    ]  # fmt: skip
    publisher.stage.server.publish(STATUS)
    await page.wait_for_function("() => document.querySelector('#warning').childElementCount === 0")
    assert await region.get_attribute("role") == "status"


async def test_what_is_no_message_changes_nothing(service, open_tab):
    """Malformed frames, unknown types, fields and states, and messages that lack a part leave the page alive."""
    sockets = []
    held = False

    def on_socket(socket):
        sockets.append(socket)
        forward(socket, lambda m: None if held and m["type"] == "label" else m)

    tab = await open_tab()
    await tab.page.route_web_socket("**/ws", on_socket)
    async with labels_of(service) as find:
        await tab.page.goto(service.url)
        await tab.estimate()
        held = True
        strange = {"type": "label", "seq": 1, "time": 1.0, "state": "applause", "label": None, "confidence": 0.5,
                   "probabilities": {}, "raw": {}, "rms": -20.0, "peak": -9.0, "from": ["the", "future"]}  # fmt: skip
        for rubbish in (
            "", "{", "null", "7", '"label"', "[]", "{}", "\x00", b"\xff\xfe",
            *(json.dumps({"type": kind}) for kind in
              ("hello", "label", "level", "status", "error", "change", "applause", "constructor", "__proto__", 5, [])),
            json.dumps(strange | {"probabilities": None}),
            json.dumps(strange | {"state": "instrument"}),
            json.dumps(strange | {"probabilities": {"violin": "very"}}),
            json.dumps({"type": "hello", "protocol": 2, "labels": "violin"}),
            json.dumps({"type": "level", "time": 1, "rms": None, "peak": {}}),
            json.dumps({"type": "status", "source": "running", "message": 5, "hop_ms": "fast", "uptime": []}),
            json.dumps(strange),
        ):  # fmt: skip
            sockets[0].send(rubbish)
        await tab.page.wait_for_function("() => document.querySelector('.now-name').textContent === 'Applause'")
        held = False
        await tab.page.wait_for_function("() => document.querySelector('.now-name').textContent !== 'Applause'")
        assert await find(await tab.estimate())
    assert len(sockets) == 1
    assert await tab.page.get_attribute("#link", "data-phase") == "live"


async def test_no_field_of_a_message_breaks_the_page(publisher, open_tab):
    """Whatever a field holds that it should not, the page draws on, and shows what is heard next."""
    tab = await open_tab()
    await tab.page.add_init_script("""
        window.WebSocket = class extends WebSocket {
            constructor(...options) { super(...options); window.socket = this; }
        };
    """)
    await tab.page.goto(publisher.page)
    await tab.is_in("instrument")
    # In each frame one message of every type is spoilt in one way.
    frames = [
        [json.dumps(message) for message in messages if message is not None]
        for messages in itertools.zip_longest(*(spoilt(message) for message in MESSAGES))
    ]
    broken = await tab.page.evaluate(
        """async (frames) => {
            const broken = [];
            let drawn = [];
            addEventListener('error', (event) => broken.push([event.message, drawn]));
            for (drawn of frames) {
                for (const data of drawn) socket.dispatchEvent(new MessageEvent('message', { data }));
                await new Promise(requestAnimationFrame);
            }
            return broken;
        }""",
        frames,
    )
    assert broken == []
    publisher.stage.server.publish(HELLO)
    publisher.stage.server.publish(STATUS)
    publisher.play("flute")
    shown = await tab.page.wait_for_function(f"""() => {{
        const shown = ({SHOWN})();
        return shown.name === 'Flute' && shown.rows.length === {len(HELLO.labels)} && shown;
    }}""")
    assert [name for name, *_ in (await shown.json_value())["rows"]] == HELLO.labels
    assert await tab.page.get_attribute("#link", "data-phase") == "live"


async def test_another_version_of_the_protocol_is_told(publisher, open_tab):
    """What a server of another version says is not shown as if it were understood, and one of this version is."""
    tab = await open_tab(publisher.page)
    await tab.is_in("instrument")
    publisher.stage.server.publish(dataclasses.replace(HELLO, protocol=2))
    await tab.is_in("offline")
    shown = await tab.shown()
    assert shown["name"] == await tab.page.inner_text("#link") == "Other version"
    assert {value for _, value, _, _ in shown["rows"]} == {NOTHING}
    publisher.stage.server.publish(HELLO)
    await tab.is_in("instrument")


async def test_instruments_outside_the_lineup_are_dimmed(serve, open_tab):
    """With a line-up of one who does not play, all other rows are dimmed and what plays is unknown."""
    service = await serve("--input", "demo", "--instruments", "female singer")
    tab = await open_tab(service.url)
    await tab.is_in("unknown")
    assert (await tab.shown())["name"] == "Unknown"
    lineup = await tab.page.eval_on_selector_all(
        ".row", "rows => rows.filter((row) => row.dataset.lineup === 'true').map((row) => row.dataset.instrument)"
    )
    assert lineup == ["female singer"]


async def test_silence_is_shown_as_silence(serve, open_tab, tmp_path):
    """An input of zeros is called silence, without an estimate."""
    with wave.open(str(tmp_path / "zeros.wav"), "wb") as file:
        file.setparams((1, 2, 22050, 0, "NONE", ""))
        file.writeframes(bytes(2 * 22050 * 30))
    service = await serve("--input", str(tmp_path / "zeros.wav"), "--loop")
    tab = await open_tab(service.url)
    await tab.is_in("silence")
    shown = await tab.shown()
    assert shown["name"] == "Silence"
    assert {value for _, value, _, _ in shown["rows"]} == {NOTHING}
    assert await tab.page.inner_text("[data-figure=rms]") == f"{MINUS}∞ dBFS"


async def test_token_is_taken_from_the_address(serve, open_tab):
    """Without the token the page says what it needs, and with `#token=` it is let in."""
    service = await serve("--input", "demo", "--token", "o sole mio")
    tab = await open_tab(service.url)
    tab.expected = EARLY
    await tab.is_in("offline")
    assert (await tab.shown())["name"] == "Token needed"
    await tab.page.goto(f"{service.url}#token=o%20sole%20mio")
    await tab.page.wait_for_selector("#link[data-phase=live]")
    await tab.is_in("warming", "instrument", "unknown")


async def test_token_is_typed(open_tab, exit_stack):
    """Where it is asked for there is a field; a wrong one is told from none, and the right one stays in the address."""
    stage = await exit_stack.enter_async_context(staged(token="a+b/c= &d%20"))
    tab = await open_tab(f"http://{stage.address}/", viewport={"width": 320, "height": 640})
    tab.expected = EARLY
    name, field = tab.page.locator(".now-name"), tab.page.get_by_label("Token", exact=True).locator("input")
    await name.get_by_text("Token needed").wait_for()
    assert await field.evaluate("field => field === document.activeElement")
    assert await tab.page.evaluate("() => document.scrollingElement.scrollWidth <= innerWidth")
    await field.fill("a b/c=")
    await field.press("Enter")
    await name.get_by_text("Wrong token").wait_for()
    await field.fill(" a+b/c= &d%20 ")
    await tab.page.get_by_role("button", name="Connect").click()
    await tab.page.wait_for_selector("#link[data-phase=live]")
    await field.wait_for(state="hidden")
    await tab.page.reload()
    await tab.page.wait_for_selector("#link[data-phase=live]")
    typed = await open_tab(f"http://{stage.address}/#token=a+b/c= %26d%2520")
    await typed.page.wait_for_selector("#link[data-phase=live]")


async def test_nothing_slides_where_motion_is_not_wanted(service, open_tab):
    """With prefers-reduced-motion, bars jump to their values."""
    durations = []
    for motion in ("reduce", "no-preference"):
        page = (await open_tab(service.url, reduced_motion=motion)).page
        await page.wait_for_selector(".bar-fill", state="attached")
        durations.append(
            await page.evaluate("() => getComputedStyle(document.querySelector('.bar-fill')).transitionDuration")
        )
    assert durations == ["0s", "0.18s"]
