"""The overlay for OBS, in headless Chromium: alone, transparent, and as its address asks."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from stream.protocol.messages import State
from tests.support.browser import PATIENCE, HopPublisher, OpenTab, forward
from tests.support.processes import Service, serving
from tests.support.serving import INSTRUMENTS

if TYPE_CHECKING:
    from playwright.async_api import Page, WebSocketRoute

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCS = Path(__file__).parents[2] / "docs" / "overlay.md"
WINDOW = {"width": 800, "height": 200}

CARD = "document.querySelector('.card')"
BOX = f"{CARD}.getBoundingClientRect()"
LETTERS = "getComputedStyle(document.querySelector('.card-name'))"
PICTURE = "getComputedStyle(document.querySelector('.card-glyph'))"
VIOLIN = "rgb(58, 109, 217)"


async def named(page: Page, name: str) -> None:
    """Wait until nothing but this name is to be seen."""
    await page.wait_for_function(
        "name => [...document.querySelectorAll('.card')].map((it) => it.dataset.name).join() === name", arg=name
    )


async def nothing(page: Page) -> None:
    """Wait until nothing is to be seen."""
    await page.wait_for_selector(".card", state="detached")


async def alphas(page: Page) -> list[int]:
    """Take a picture without any ground, and return how opaque its corners are, and then its most opaque pixel."""
    picture = base64.b64encode(await page.screenshot(omit_background=True)).decode()
    found: list[int] = await page.evaluate(
        """async (picture) => {
            const image = new Image();
            image.src = `data:image/png;base64,${picture}`;
            await image.decode();
            const { width, height } = image;
            const pen = new OffscreenCanvas(width, height).getContext('2d');
            pen.drawImage(image, 0, 0);
            const { data } = pen.getImageData(0, 0, width, height);
            const alpha = data.filter((_, place) => place % 4 === 3);
            const corners = [0, width - 1, width * (height - 1), width * height - 1].map((place) => alpha[place]);
            return [...corners, alpha.reduce((most, one) => Math.max(most, one))];
        }""",
        picture,
    )
    return found


async def test_ground_is_transparent(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Only the card is seen, whatever scheme the system prefers; without an instrument nothing at all is."""
    for scheme in ("dark", "light"):
        publisher.play("violin")
        page = (await open_tab(f"{publisher.page}overlay", viewport=WINDOW, color_scheme=scheme)).page
        await named(page, "Violin")
        await page.wait_for_function(f"() => {CARD}.getAnimations().length === 0")
        assert await alphas(page) == [0, 0, 0, 0, 255]
        publisher.play(None, 0.0, "silence")
        await nothing(page)
        assert await alphas(page) == [0, 0, 0, 0, 0]


async def test_card_follows_what_is_heard(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """One card at a time: the instrument in front, and nothing for silence, the unknown and before the first window."""
    page = (await open_tab(f"{publisher.page}overlay")).page
    await named(page, "Violin")
    for name in ("flute", "distorted electric guitar", "violin"):
        publisher.play(name)
        await named(page, name.capitalize())
        assert await page.get_attribute(".card .glyph", "data-glyph") == name
    states: tuple[State, ...] = ("silence", "unknown", "warming")
    for state in states:
        publisher.play(None, 0.5, state)
        await nothing(page)
        publisher.play("piano")
        await named(page, "Piano")


async def test_demo_is_followed(open_tab: OpenTab, service: Service) -> None:
    """With the program and its demo, one instrument after the other is shown."""
    page = (await open_tab(f"{service.url}overlay")).page
    name = await page.get_attribute(".card", "data-name")
    assert name is not None
    assert name.lower() in INSTRUMENTS
    await page.wait_for_function(
        "name => [...document.querySelectorAll('.card')].some((it) => it.dataset.name !== name)", arg=name
    )


async def test_lost_server_takes_the_name_away(open_tab: OpenTab) -> None:
    """When the service is gone, so is the name, even one that would be held; when it is back, there is one again."""
    async with serving("--input", "demo") as service:
        tab = await open_tab(f"{service.url}overlay?hold=600")
        tab.expected = "^WebSocket connection to .* failed"  # what Chromium says of every attempt
        await tab.page.wait_for_selector(".card")
        await service.kill()
        await nothing(tab.page)
        assert await alphas(tab.page) == [0, 0, 0, 0, 0]
        async with serving("--input", "demo", "--port", service.address.rpartition(":")[2]):
            await tab.page.wait_for_selector(".card")


async def test_input_that_is_lost_takes_the_name_away(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """While the source is waited for, nothing is shown."""
    page = (await open_tab()).page
    sockets: list[WebSocketRoute] = []

    def on_socket(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        forward(socket, lambda m: m)

    await page.route_web_socket("**/ws", on_socket)
    await page.goto(f"{publisher.page}overlay?hold=600")
    await named(page, "Violin")
    sockets[0].send(json.dumps({"type": "status", "source": "waiting"}))
    await nothing(page)
    assert await alphas(page) == [0, 0, 0, 0, 0]


async def test_only_label_and_status_are_asked_for(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """The overlay costs the server no more than it needs."""
    said = []

    def on_socket(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def on_message(text: str | bytes) -> None:
            said.append(json.loads(text))
            server.send(text)

        socket.on_message(on_message)

    page = (await open_tab()).page
    await page.route_web_socket("**/ws", on_socket)
    await page.goto(f"{publisher.page}overlay")
    await named(page, "Violin")
    assert said == [{"type": "subscribe", "types": ["label", "status"]}]


async def test_token_is_taken_from_the_address(open_tab: OpenTab, serve: Callable[..., Awaitable[Service]]) -> None:
    """Where a token is required, the overlay shows nothing without it, and follows with it."""
    service = await serve("--input", "demo", "--token", "o sole mio")
    tab = await open_tab()
    tab.expected = "WebSocket is closed before the connection is established"  # it may just try again when it is left
    page = tab.page
    refused = asyncio.Event()
    page.on("websocket", lambda socket: socket.on("close", lambda _: refused.set()))
    await page.goto(f"{service.url}overlay?states=1")
    async with asyncio.timeout(PATIENCE):
        await refused.wait()
    assert await page.query_selector(".card") is None
    await page.goto(f"{service.url}overlay?states=1#token=o%20sole%20mio")
    await page.wait_for_selector(".card")


LOOKS: dict[str, list[tuple[str, object]]] = {
    "": [
        (f"{BOX}.left + {BOX}.right", 800),
        (f"{BOX}.top + {BOX}.bottom", 200),
        (f"{LETTERS}.fontSize", "96px"),
        (f"{LETTERS}.fontWeight", "700"),
        (f"{LETTERS}.color", "rgb(255, 255, 255)"),
        (f"{LETTERS}.textShadow.split('rgb(0, 0, 0)').length", 9),
        (f"{PICTURE}.color", VIOLIN),
        (f"getComputedStyle({CARD}).filter.startsWith('drop-shadow')", True),
        (f"{CARD}.innerText", "Violin"),
        (f"{CARD}.querySelectorAll('.glyph, .card-name').length", 2),
        (f"{CARD}.querySelector('.card-figure, .card-bar')", None),
        ("getComputedStyle(document.querySelector('#help')).display", "none"),
    ],
    "align=left": [(f"{BOX}.left", 0)],
    "align=right": [(f"{BOX}.right", 800)],
    "valign=top": [(f"{BOX}.top", 0)],
    "valign=bottom": [(f"{BOX}.bottom", 200)],
    "size=40": [(f"{LETTERS}.fontSize", "40px")],
    "size=40.5px": [(f"{LETTERS}.fontSize", "40.5px")],
    "size=5vw": [(f"{LETTERS}.fontSize", "40px")],
    "size=10vh": [(f"{LETTERS}.fontSize", "20px")],
    "font=Liberation+Serif": [(f"{LETTERS}.fontFamily", '"Liberation Serif", sans-serif')],
    "weight=350": [(f"{LETTERS}.fontWeight", "350")],
    "upper=1": [(f"{CARD}.innerText", "VIOLIN")],
    "color=f80": [(f"{LETTERS}.color", "rgb(255, 136, 0)"), (f"{PICTURE}.color", VIOLIN)],
    "color=%23ff8800": [(f"{LETTERS}.color", "rgb(255, 136, 0)")],
    "color=instrument": [(f"{LETTERS}.color", VIOLIN)],
    "ink=ff8800": [(f"{PICTURE}.color", "rgb(255, 136, 0)"), (f"{LETTERS}.color", "rgb(255, 255, 255)")],
    "outline=ff8800": [
        (f"{LETTERS}.textShadow.split('rgb(255, 136, 0)').length", 9),
        (f"{PICTURE}.getPropertyValue('--glyph-edge')", "#ff8800"),
    ],
    "outline=none": [(f"{LETTERS}.textShadow", "none"), (f"{PICTURE}.getPropertyValue('--glyph-edge')", "transparent")],
    "shadow=0": [(f"getComputedStyle({CARD}).filter", "none")],
    "glyph=0": [(f"{CARD}.querySelector('.glyph')", None), (f"{CARD}.innerText", "Violin")],
    "glyph=only": [(f"{CARD}.innerText", ""), (f"{CARD}.querySelectorAll('.glyph').length", 1)],
    "confidence=1": [(f"{CARD}.innerText.replaceAll('\\n', ' ')", "Violin 90\u202f%")],
    "bar=1": [(f"{CARD}.querySelector('.card-fill').style.width", "90%")],
    "help=1": [("getComputedStyle(document.querySelector('#help')).display", "block")],
}
"""What is seen of a violin of 90 %, 800 x 200 pixels large, with each parameter of the look and without any."""


async def test_each_parameter_has_its_effect(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Each parameter of the look changes what it says, and without it there is the default."""
    page = (await open_tab(viewport=WINDOW)).page
    for query, looks in LOOKS.items():
        await page.goto(f"{publisher.page}overlay?{query}")
        await named(page, "Violin")
        for seen, expected in looks:
            found = await page.evaluate(f"() => {seen}")
            wanted = pytest.approx(expected, abs=0.5) if isinstance(expected, int) else expected
            assert found == wanted, f"{query}: {seen}"


async def test_too_large_is_made_to_fit(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """What is larger than the window is made smaller, also when the window changes, and fills it in one direction."""
    publisher.play("distorted electric guitar")
    page = (await open_tab()).page
    for query in ("size=90vw", "size=2000px&align=left&confidence=1&bar=1", "glyph=only&size=100vw"):
        await page.goto(f"{publisher.page}overlay?{query}")
        await page.wait_for_selector(".card")
        for width, height in ((800, 200), (320, 90), (1920, 300)):
            await page.set_viewport_size({"width": width, "height": height})
            await page.wait_for_function(f"""() => {{
                const {{ width, height }} = {BOX};
                const filled = Math.max(width / innerWidth, height / innerHeight);
                return filled <= 1 && filled > 0.9;
            }}""")
            edges = ["left", "top", "right", "bottom"]
            left, top, right, bottom = await page.evaluate(f"(edges) => edges.map((edge) => {BOX}[edge])", edges)
            assert -0.5 <= left < right <= width + 0.5
            assert -0.5 <= top < bottom <= height + 0.5


async def test_less_sure_than_min_is_hidden(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """With `min` an instrument is shown from this confidence on."""
    page = (await open_tab(f"{publisher.page}overlay?min=0.6&confidence=1")).page
    await named(page, "Violin")
    publisher.play("violin", 0.59)
    await nothing(page)
    publisher.play("flute", 0.6)
    await named(page, "Flute")
    assert (await page.inner_text(".card")).split("\n") == ["Flute", "60\u202f%"]


async def test_name_is_held_for_a_while(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """With `hold` the last name stays when nothing follows it, for so long, and gives way to another at once."""
    page = (await open_tab(f"{publisher.page}overlay?hold=600")).page
    other = (await open_tab(f"{publisher.page}overlay?hold=1")).page
    await named(page, "Violin")
    await named(other, "Violin")
    publisher.play(None, 0.5)
    await nothing(other)
    assert await page.get_attribute(".card", "data-name") == "Violin"
    publisher.play("flute")
    await named(page, "Flute")


async def test_states_are_said_when_asked_for(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """With `states` silence and the unknown have their cards, after what is held, and in no instrument's colour."""
    page = (await open_tab(f"{publisher.page}overlay?states=1")).page
    await named(page, "Violin")
    publisher.play(None, 0.0, "silence")
    await named(page, "Silence")
    assert await page.evaluate(f"() => {PICTURE}.color") == "rgb(168, 176, 188)"
    publisher.play(None, 0.5)
    await named(page, "Unknown")
    publisher.play(None, 0.0, "warming")
    await nothing(page)


async def test_only_the_instruments_asked_for_are_shown(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """With `instruments` the others are passed over; whoever names one that the model does not have is told."""
    tab = await open_tab()
    told = []
    tab.page.on("console", lambda message: told.append(message.text))
    await tab.page.goto(f"{publisher.page}overlay?instruments=Flute,tenor+saxophone,theremin&hold=0.001")
    for name in ("flute", "tenor saxophone"):
        publisher.play(name)
        await named(tab.page, name.capitalize())
        publisher.play("violin")
        await nothing(tab.page)
    assert told == ["overlay: this model does not know theremin"]


async def test_names_with_commas_and_accents_are_shown(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """A name is found in either Unicode form, and with its commas, in quotes or without."""
    for told in ("guitar, distorted,flo\u0308te", '"Guitar, distorted",Fl\u00f6te'):
        page = (await open_tab(f"{publisher.page}overlay?instruments={quote(told)}&hold=0.001")).page
        for name in ("guitar, distorted", "fl\u00f6te"):
            publisher.play(name)
            await named(page, name.capitalize())
            publisher.play("violin")
            await nothing(page)


async def test_wrong_parameters_are_passed_over_and_told_once(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Values that make no sense leave the defaults, and one line of information on the console names them all."""
    wrong = {
        "align": "up", "valign": "left", "size": "big", "font": "x;}</style>", "weight": "0", "upper": "yes",
        "color": "red", "ink": "12", "outline": "url(x)", "shadow": "2", "glyph": "no", "confidence": "-1", "bar": "",
        "states": "true", "min": "2", "hold": "-3", "help": "me", "colour": "fff", "constructor": "1",
    }  # fmt: skip
    tab = await open_tab()
    told = []
    tab.page.on("console", lambda message: told.append((message.type, message.text)))
    await tab.page.goto(f"{publisher.page}overlay")
    defaults, read, faults = await tab.page.evaluate(
        """async (wrong) => {
            const { read } = await import('/overlay-options.js');
            const { options, faults } = read(`?${new URLSearchParams(Object.entries(wrong))}`);
            return [read('').options, options, faults];
        }""",
        wrong,
    )
    assert read == defaults
    assert len(faults) == len(wrong)
    for name in wrong:
        assert sum(re.search(rf"\b{name}\b", fault) is not None for fault in faults) == 1
    assert told == []
    query = "&".join(f"{name}=nonsense" for name in ("align", "size", "banana"))
    await tab.page.goto(f"{publisher.page}overlay?{query}")
    await named(tab.page, "Violin")
    [(kind, text)] = told
    assert kind == "info"
    assert all(name in text for name in ("align", "size", "banana"))


async def test_every_size_and_colour_is_validated(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Numbers out of range and half a colour are no values."""
    page = (await open_tab(f"{publisher.page}overlay")).page
    taken = await page.evaluate("""async () => {
        const { PARAMETERS } = await import('/overlay-options.js');
        const tried = {
            size: ['0', '1px', '2000', '2001', '100vw', '101vw', '-3', '12em', '1e3', ' 12', '3.5vh'],
            color: ['fff', 'ffff', '#abcdef', 'abcdef12', 'ff', 'fffff', 'ggg', 'instrument', 'none', ''],
            hold: ['0', '600', '601', '1.5', '.5', 'Infinity', 'NaN', ''],
        };
        return Object.entries(tried).map(([name, texts]) => texts.map((text) => PARAMETERS[name].read(text) ?? null));
    }""")
    none = None
    assert taken == [
        [none, "1px", "2000px", none, "100vw", none, none, none, none, none, "3.5vh"],
        ["#fff", "#ffff", "#abcdef", "#abcdef12", none, none, none, "instrument", none, none],
        [0, 600, none, 1.5, none, none, none, none],
    ]


async def test_page_of_the_docs_lists_every_parameter(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """What docs/overlay.md says of each parameter is what the page says of it with `help=1`."""
    page = (await open_tab(f"{publisher.page}overlay?help=1")).page
    listed: list[list[str]] = await page.eval_on_selector_all(
        "#parameters tr", "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    rows = [
        [cell.strip().replace("`", "") for cell in line.strip("|\n ").split("|")]
        for line in DOCS.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| `\w+` \|", line)
    ]
    assert [row for row in listed if row[0] != "help"] == rows
    assert len(rows) == 18


async def test_cards_fade_unless_motion_is_not_wanted(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """One card fades into the next within half a second, or at once with prefers-reduced-motion."""
    durations: dict[str, Any] = {}
    for motion in ("no-preference", "reduce"):
        publisher.play("violin")
        page = (await open_tab(f"{publisher.page}overlay", reduced_motion=motion)).page
        await named(page, "Violin")
        await page.wait_for_function(f"() => {CARD}.getAnimations().length === 0")
        await page.evaluate("""() => {
            window.durations = new Promise((resolve) => {
                new MutationObserver(() => {
                    const cards = [...document.querySelectorAll('.card')];
                    if (cards.length === 2) {
                        const animations = cards.flatMap((card) => card.getAnimations());
                        resolve(animations.map((it) => it.effect.getTiming().duration));
                    } else if (cards.length === 1 && cards[0].dataset.name === 'Flute') {
                        resolve([]);
                    }
                }).observe(document.querySelector('#overlay'), { childList: true });
            });
        }""")
        publisher.play("flute")
        durations[motion] = await page.evaluate("window.durations")
        await named(page, "Flute")
    assert len(durations["no-preference"]) == 2
    assert all(0 < duration <= 500 for duration in durations["no-preference"])
    assert all(duration == 0 for duration in durations["reduce"])


async def test_overlay_is_the_same_page_under_both_names(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """`/overlay` and `/overlay.html` are one page."""
    page = (await open_tab()).page
    texts = [
        await (await page.request.get(publisher.page + name)).text() for name in ("overlay", "overlay.html?align=left")
    ]
    assert texts[0] == texts[1]
    assert "overlay.js" in texts[0]
