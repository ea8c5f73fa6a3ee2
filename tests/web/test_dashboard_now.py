"""What is heard now, in headless Chromium: glyph, name, time in front, the tab's picture, and the page as an app."""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Any

import pytest

from stream.protocol.messages import State
from tests.support.browser import HopPublisher, OpenTab, forward
from train.datasets.labels import ALL_LABELS

if TYPE_CHECKING:
    from playwright.async_api import Page, WebSocketRoute

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONGEST = "distorted electric guitar"

PAINT = """async ([names, size]) => {
    const { glyphSource } = await import('/glyphs.js');
    const paint = async (name) => {
        const image = new Image();
        image.src = glyphSource(name, '#ffffff');
        await image.decode();
        const canvas = new OffscreenCanvas(size, size);
        const pen = canvas.getContext('2d', { willReadFrequently: true });
        pen.drawImage(image, 0, 0, size, size);
        return Array.from(pen.getImageData(0, 0, size, size).data).filter((_, place) => place % 4 === 1);
    };
    return Promise.all(names.map(paint));
}"""
"""Draws glyphs as the tab does, in white, and returns how bright each pixel is."""


def change(page: Page, fields: dict[str, Any]) -> Any:
    """Let the page hear labels with other fields."""
    return page.route_web_socket("**/ws", lambda socket: forward(socket, lambda m: m | fields.get(m["type"], {})))


async def text(page: Page, selector: str, pattern: str) -> str:
    """Wait for a text and return it."""
    script = "([where, what]) => document.querySelector(where).textContent.match(what)?.[0]"
    told: str = await (await page.wait_for_function(script, arg=[selector, pattern])).json_value()
    return told


async def test_each_instrument_has_a_glyph_of_its_own(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """At the 16 pixels of a tab our labels, the initials of strangers and the states look different."""
    names = [*ALL_LABELS, "theremin", "hurdy gurdy", "others",
             "silence", "unknown", "warming", "connecting", "offline", "input", "stalled", "ended"]  # fmt: skip
    page = (await open_tab(publisher.page)).page
    painted = dict(zip(names, await page.evaluate(PAINT, [names, 16]), strict=True))
    ground = min(painted["flute"])
    for name, pixels in painted.items():
        inked = sum(pixel > ground + 60 for pixel in pixels) / len(pixels)
        assert 0.03 < inked < 0.6, f"{name} covers {inked:.0%}"
    for one in names:
        for other in names[: names.index(one)]:
            strange = sum(abs(a - b) > 60 for a, b in zip(painted[one], painted[other], strict=True))
            assert strange > 16, f"{one} and {other} differ in {strange} of 256 pixels"


async def test_glyphs_stay_within_their_square(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """No glyph is cut off: nothing is drawn on the outermost pixels of its square."""
    page = (await open_tab(publisher.page)).page
    cut = await page.evaluate("""async (names) => {
        const { glyph } = await import('/glyphs.js');
        const found = [];
        for (const name of names) {
            const svg = glyph(name);
            for (const [key, value] of Object.entries({ width: 170, height: 170, color: '#fff' })) {
                svg.setAttribute(key, value);
            }
            svg.style.setProperty('--glyph-edge', '#fff');
            const image = new Image();
            image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`;
            await image.decode();
            const pen = new OffscreenCanvas(170, 170).getContext('2d', { willReadFrequently: true });
            pen.drawImage(image, 0, 0);
            const sides = [[0, 0, 170, 1], [0, 169, 170, 1], [0, 0, 1, 170], [169, 0, 1, 170]];
            if (sides.some((side) => pen.getImageData(...side).data.some((part) => part > 0))) found.push(name);
        }
        return found;
    }""", [*ALL_LABELS, "theremin", "\N{MUSICAL NOTE}"])  # fmt: skip
    assert cut == []


async def test_tab_shows_what_is_heard(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Title and favicon follow: the glyph in the instrument's colour, and a state's glyph when there is none."""
    page = (await open_tab(publisher.page)).page
    drawn = """async ([name, kind]) => {
        const { glyphSource } = await import('/glyphs.js');
        const { colour } = await import('/palette.js');
        const wanted = glyphSource(name, kind === 'instrument' ? colour(name) : '#a8b0bc');
        const plain = (source) => source.replace(/glyph-mask-\\d+/g, '');
        return plain(document.querySelector('link[rel=icon]').href) === plain(wanted);
    }"""
    for name, state, title in (
        ("violin", None, "Violin"), ("flute", None, "Flute"), (None, "silence", "Silence"), (None, None, "Unknown"),
    ):  # fmt: skip
        publisher.play(name, 0.9, state)  # type: ignore[arg-type]
        await page.wait_for_function("title => document.title === `${title} · Soloist`", arg=title)
        assert await page.evaluate(drawn, [name or title.lower(), "instrument" if name else title.lower()])


async def test_nothing_is_drawn_anew_while_an_instrument_goes_on(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Labels of the same instrument change neither favicon nor glyph nor the size of the type."""
    page = (await open_tab(publisher.page)).page
    publisher.play("piano")
    await page.wait_for_selector(".now-glyph [data-glyph=piano]")
    await page.evaluate("""() => {
        const options = { attributes: true, childList: true, subtree: true };
        window.changes = [];
        const observer = new MutationObserver((records) => {
            window.changes.push(...records.map((it) => it.target.nodeName));
        });
        for (const where of ['link[rel=icon]', '.now-glyph', '.now-place']) {
            observer.observe(document.querySelector(where), options);
        }
    }""")
    for confidence in (0.8, 0.7, 0.95):
        publisher.play("piano", confidence)
        await text(page, ".now-figure", f"^{round(100 * confidence)}")
    assert await page.evaluate("window.changes") == []


async def test_time_in_front_counts_on_and_outlives_a_reload(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """The time in front is that of the stream: it goes on by the second, and a page that comes later tells the same."""
    publisher.play("trumpet")
    for _ in range(4 * 72):
        publisher.hop()
    page = (await open_tab(publisher.page)).page
    seconds = int((await text(page, ".now-lasted", r"^for 1 min \d+ s$")).split()[-2])
    assert 12 <= seconds < 40
    await text(page, ".now-lasted", rf"^for 1 min (?!{seconds} s)\d+ s$")  # a busy browser may leave out a second
    await page.reload()
    assert int((await text(page, ".now-lasted", r"^for 1 min \d+ s$")).split()[-2]) > seconds
    publisher.play("piano")
    await text(page, ".now-lasted", r"^for \d+ s$")
    for _ in range(4 * 3600):
        publisher.seq += 1
    publisher.hop()
    await text(page, ".now-lasted", r"^for 1 h 0 min \d+ s$")


async def test_server_that_does_not_tell_since_when(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Without `since` the page says nothing about how long an instrument has been in front."""
    tab = await open_tab()
    await change(tab.page, {"label": {"since": None}})
    await tab.page.goto(publisher.page)
    await tab.is_in("instrument")
    assert await tab.page.text_content(".now-lasted") == ""


@pytest.mark.parametrize(
    ("flute", "told"),
    [(0.41, "Guess: Flute 41\u202f%"), (0.15, "Guess: Flute 15\u202f%"), (0.14, "None of the instruments.")],
)
async def test_unknown_tells_its_guess(open_tab: OpenTab, publisher: HopPublisher, flute: float, told: str) -> None:
    """With at least 15 % the best instrument is named, small, beside the unknown."""
    publisher.play(None, 0.5)
    tab = await open_tab()
    await change(tab.page, {"label": {"probabilities": {"violin": 0.1, "flute": flute, "piano": 0.0}}})
    await tab.page.goto(publisher.page)
    await tab.is_in("unknown")
    assert await tab.page.text_content(".now-detail") == told
    assert await tab.page.text_content(".now-name") == "Unknown"


async def test_states_differ_in_more_than_colour(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Every state has a glyph, words and a frame of its own, and none of them the look of an instrument."""
    seen = {}

    async def look(page: Page, kind: str, glyph: str) -> None:
        await page.wait_for_selector(f"#now[data-kind={kind}] [data-glyph={glyph}]")
        seen[glyph] = await page.evaluate("""() => {
            const now = getComputedStyle(document.querySelector('#now'));
            const name = document.querySelector('.now-name');
            const striped = now.backgroundImage !== 'none' || now.backgroundColor === 'rgba(0, 0, 0, 0)';
            const frame = [now.borderTopStyle, now.borderTopWidth, striped, getComputedStyle(name).fontWeight];
            return [name.textContent, frame.join(' ')];
        }""")

    page = (await open_tab(publisher.page)).page
    publisher.play("violin")
    await look(page, "instrument", "violin")
    states: tuple[State, ...] = ("warming", "silence", "unknown")
    for state in states:
        publisher.play(None, 0.5, state)
        await look(page, state, state)
    for source, glyph in (("waiting", "input"), ("ended", "ended")):
        page = (await open_tab()).page
        await change(page, {"status": {"source": source}})
        await page.goto(publisher.page)
        await look(page, "stalled", glyph)

    async def refuse(socket: WebSocketRoute) -> None:
        await socket.close(code=1013)

    page = (await open_tab()).page
    await page.route_web_socket("**/ws", refuse)
    await page.goto(publisher.page)
    await look(page, "offline", "offline")
    names = [name for name, _ in seen.values()]
    assert sorted(names) == sorted(
        ["Violin", "Listening", "Silence", "Unknown", "No input", "The end", "No connection"]
    )
    frames = {glyph: frame for glyph, (_, frame) in seen.items()}
    assert frames["ended"] == frames["input"] == frames["offline"]  # something is wrong: a thick frame and stripes
    assert len(set(frames.values())) == 5


@pytest.mark.parametrize("name", [LONGEST, "flute"])
@pytest.mark.parametrize("size", [(320, 640), (1280, 800), (1920, 1080)], ids=lambda size: str(size[0]))
async def test_solo_fills_the_screen(
    open_tab: OpenTab, publisher: HopPublisher, size: tuple[int, int], name: str
) -> None:
    """With nothing but the instrument on the screen, the type is as large as fits, and nothing is cut off."""
    publisher.play(name)
    width, height = size
    tab = await open_tab(publisher.page, viewport={"width": width, "height": height})
    page = tab.page
    await tab.is_in("instrument")
    letters = "() => parseFloat(document.querySelector('.now-name').style.fontSize)"
    before = await page.evaluate(letters)
    await page.evaluate("() => document.documentElement.classList.add('solo')")
    await page.wait_for_function(f"before => ({letters})() > before", arg=before)
    fits = await page.evaluate("""() => {
        const box = (selector) => document.querySelector(selector).getBoundingClientRect();
        const within = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1;
        const inside = (a, b) => within(a, b) && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
        const [now, name, place, picture] = ['#now', '.now-name', '.now-place', '.now .glyph'].map(box);
        const apart = picture.right <= name.left + 1 || picture.bottom <= name.top + 1;
        return [now.width === innerWidth, now.height === innerHeight, inside(name, place), inside(place, now), apart];
    }""")
    assert fits == [True] * 5
    assert await page.evaluate(letters) >= width / (10 if name == LONGEST else 5)


async def test_glyph_stands_still_where_motion_is_not_wanted(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """The glyph fades in, but not with prefers-reduced-motion."""
    names = []
    for motion in ("reduce", "no-preference"):
        tab = await open_tab(publisher.page, reduced_motion=motion)
        await tab.page.wait_for_selector(".now .glyph")
        names.append(
            await tab.page.evaluate("() => getComputedStyle(document.querySelector('.now .glyph')).animationName")
        )
    assert names == ["none", "now-appear"]


async def test_page_can_be_installed(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """The manifest is one that Chromium takes, and its icons are there, small, and of the sizes it says."""
    page = (await open_tab(publisher.page)).page
    devtools = await page.context.new_cdp_session(page)
    told = await devtools.send("Page.getAppManifest")
    assert told["errors"] == []
    manifest = json.loads(told["data"])
    assert {"name", "short_name", "description", "start_url", "scope", "display"} <= manifest.keys()
    assert await page.evaluate("start => new URL(start, location).href", manifest["start_url"]) == publisher.page
    assert [icon.get("purpose", "any") for icon in manifest["icons"]].count("maskable") == 1
    icons = {icon["src"]: (icon["sizes"], icon["type"]) for icon in manifest["icons"]}
    [touch] = await page.eval_on_selector_all(
        "link[rel=apple-touch-icon]", "links => links.map((it) => it.getAttribute('href'))"
    )
    icons[touch] = ("180x180", "image/png")
    assert {"192x192", "512x512"} <= {sizes for sizes, _ in icons.values()}
    for source, (sizes, kind) in icons.items():
        response = await page.request.get(publisher.page + source)
        assert response.ok
        assert response.headers["content-type"] == kind
        content = await response.body()
        assert len(content) < 20_000
        if kind == "image/png":
            width, height = struct.unpack(">II", content[16:24])
            assert sizes == f"{width}x{height}"
    assert re.search(r"<svg", (await (await page.request.get(publisher.page + "favicon.svg")).text()))
