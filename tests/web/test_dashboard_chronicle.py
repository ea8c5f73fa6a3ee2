"""What the dashboard remembers of what was heard: its chronicle, run in headless Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.support.browser import Tab
from tests.support.serving import staged

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Any]:
    """A page of the server's, for the dashboard's modules; each story has a chronicle of its own."""
    async with staged() as stage:
        tab = Tab(await browser.new_page())
        await tab.page.goto(f"http://{stage.address}/healthz")
        yield tab.page
        await tab.page.close()
    assert tab.complaints == []


async def chronicled(page: Any, story: str) -> Any:
    """Return what a chronicle knows after a story: statements that call `hear` and return something."""
    return await page.evaluate(f"""async () => {{
        const {{ Chronicle }} = await import('/chronicle.js');
        const {{ parse }} = await import('/messages.js');
        const chronicle = new Chronicle();
        let at = 0;
        const hear = (message, pause = 0.25) => {{
            const parsed = parse(JSON.stringify(message));
            if (parsed !== null) chronicle.hear(parsed, (at += pause));
        }};
        const hello = (utc, run) => hear({{ type: 'hello', labels: [], window: 3, hop: 0.25, utc, run }});
        const label = (time, name, since, probabilities = {{}}, confidence = 0.5) => hear({{
            type: 'label', time, since, state: 'instrument', label: name, confidence, probabilities, raw: {{}},
        }});
        const silence = (time) => hear({{
            type: 'label', time, state: 'silence', label: null, confidence: 0, probabilities: {{}}, raw: {{}},
        }}, 0);
        const segment = (start, end, label) => ({{
            type: 'segment', start, end, state: 'instrument', label, confidence: 0.5,
        }});
        const guess = (start, end, label) => ({{ type: 'guess', start, end, label, confidence: 0.2 }});
        const outage = (start, end) => ({{ type: 'outage', start, end, source: 'a mixer', reason: 'unplugged' }});
        const mark = (time, text) => ({{ type: 'mark', time, text }});
        const history = (segments, rest = {{}}) => hear({{ type: 'history', segments, marks: [], ...rest }});
        const spans = (list) => list.map((it) => [it.start, it.end, it.label ?? null]);
        {story}
    }}""")


async def test_a_history_and_what_is_live_become_one(page):
    """What comes before, with and after a history is known once, in order, however late the history is."""
    assert await chronicled(
        page,
        """
        hello(1000);
        label(30, 'violin', 20);
        hear(segment(20, 31, 'violin'));
        label(31, 'flute', 31);
        history([segment(0, 10, 'piano'), segment(10, 20, 'flute')], { guesses: [guess(2, 3, 'trumpet')] });
        const first = spans(chronicle.segments);
        hear(guess(22, 23, 'piano'));
        history([segment(10, 20, 'flute'), segment(20, 31, 'violin')], { guesses: [guess(22, 23, 'piano')] });
        hear(segment(31, 40, 'flute'));
        hear(segment(31, 40, 'flute'));
        return [first, spans(chronicle.segments), chronicle.open, spans(chronicle.guesses)];
        """,
    ) == [
        [[1000, 1010, "piano"], [1010, 1020, "flute"], [1020, 1031, "violin"]],
        [[1000, 1010, "piano"], [1010, 1020, "flute"], [1020, 1031, "violin"], [1031, 1040, "flute"]],
        None,
        [[1002, 1003, "trumpet"], [1022, 1023, "piano"]],
    ]


async def test_a_corrected_clock_moves_everything_and_a_new_service_nothing(page):
    """A greeting with another time before the first audio corrects the old one; after it, another service speaks."""
    assert await chronicled(
        page,
        """
        hello(1000);
        hear(mark(0, 'doors'));
        hello(1005);
        label(1, 'violin', 0, {}, 0.5);
        label(2, 'violin', 0, {}, 0.7);
        hear(outage(2, null));
        const before = [chronicle.marks, chronicle.now, chronicle.open];
        hello(1005);
        const same = spans([chronicle.open]);
        hello(2000);
        const closed = [spans(chronicle.segments), chronicle.open, chronicle.gaps.map(({ end }) => end)];
        history([segment(0, 4, 'flute')]);
        label(5, 'piano', 4);
        return [before, same, closed, spans(chronicle.segments), spans([chronicle.open]), chronicle.now,
            chronicle.gaps.length, chronicle.gaps[0].end, chronicle.outages[0].end === chronicle.gaps[0].start];
        """,
    ) == [
        [
            [{"time": 1005, "text": "doors"}],
            1007,
            {"start": 1005, "end": 1007, "state": "instrument", "label": "violin", "confidence": 0.6},
        ],
        [[1005, 1007, "violin"]],
        [[[1005, 1007, "violin"]], None, [None]],
        [[1005, 1007, "violin"], [2000, 2004, "flute"]],
        [[2004, 2005, "piano"]],
        2005,
        1,
        2000,
        True,
    ]


async def test_what_was_before_the_stream_keeps_its_time(page):
    """When the beginning is known, or the clock is set, what was heard before stays where it was, told again or not."""
    assert await chronicled(
        page,
        """
        hello(1000, 'one');
        hear(mark(0, 'doors'));
        const before = (utc) => history([segment(900 - utc, 950 - utc, 'piano')], {
            guesses: [guess(910 - utc, 920 - utc, 'violin')],
            outages: [outage(960 - utc, 0)],
            marks: [mark(905 - utc, 'bridge'), ...(utc > 1000 ? [mark(0, 'doors')] : [])],
        });
        const known = () => structuredClone([spans(chronicle.segments), spans(chronicle.guesses), chronicle.marks,
            chronicle.outages.map(({ start }) => start)]);
        before(1000);
        const first = known();
        hello(1600, 'one');
        const moved = known();
        before(1600);
        label(1, 'flute', 0);
        const again = known();
        hello(5200, 'one');
        return [first, moved, again, known(), spans([chronicle.open])];
        """,
    ) == [
        *(
            [
                [[900, 950, "piano"]],
                [[910, 920, "violin"]],
                [{"time": 905, "text": "bridge"}, {"time": doors, "text": "doors"}],
                [960],
            ]
            for doors in (1000, 1600, 1600, 5200)
        ),
        [[5200, 5201, "flute"]],
    ]


async def test_a_clock_that_is_set_moves_all_of_the_same_run(page):
    """When the server's clock is set, what it heard before has other times, open or closed; a new run moves nothing."""
    assert await chronicled(
        page,
        """
        hello(1000, 'one');
        hear(segment(0, 4, 'flute'));
        hear(mark(3, 'bridge'));
        hear(outage(4, null));
        label(5, 'violin', 4, { piano: 0.2 });
        label(6, 'violin', 4, { piano: 0.2 });
        const present = chronicle.present();
        hello(4600, 'one');
        const moved = [spans(chronicle.segments), spans([chronicle.open]), spans(chronicle.guesses), chronicle.now,
            chronicle.marks, chronicle.outages[0].start, chronicle.gaps.length, chronicle.present() - present > 3590];
        label(7, 'violin', 4);
        const gone = spans([chronicle.open]);
        hear(segment(4, 8, 'violin'));
        hello(9000, 'two');
        label(1, 'flute', 0);
        return [moved, gone, spans(chronicle.segments), chronicle.gaps.length];
        """,
    ) == [
        [
            [[4600, 4604, "flute"]],
            [[4604, 4606, "violin"]],
            [[4605, 4606, "piano"]],
            4606,
            [{"time": 4603, "text": "bridge"}],
            4604,
            0,
            True,
        ],
        [[4604, 4607, "violin"]],
        [[4600, 4604, "flute"], [4604, 4608, "violin"]],
        1,
    ]


async def test_an_outage_ends_once_and_marks_of_one_moment_all_count(page):
    """A history that is late does not reopen an outage, and nothing of use is lost among what is of none."""
    assert await chronicled(
        page,
        """
        hello(1000);
        label(9, 'violin', 0);
        hear(outage(9, null));
        const open = chronicle.outages.map(({ end }) => end);
        hear(outage(9, 12));
        hear(mark(12, 'one'));
        hear(mark(12, 'two'));
        hear(mark(12, 'two'));
        const rubbish = [null, 7, { type: 'segment' }, segment(5, 'x', 'violin'), segment(9, 3, 'flute')];
        history([...rubbish, segment(0, 9, 'violin')],
            { outages: [outage(9, null)], marks: [mark(3, 5), mark(12, 'one'), mark(12, 'two')], guesses: 'none' });
        hear({ type: 'history' });
        return [open, chronicle.outages.map(({ start, end }) => [start, end]), chronicle.marks.map(({ text }) => text),
            spans(chronicle.segments), chronicle.guesses];
        """,
    ) == [[None], [[1009, 1012]], ["one", "two"], [[1000, 1009, "violin"]], []]


async def test_a_guess_is_known_before_it_ends(page):
    """From the second hop on the largest probability that is not shown is a guess, until the server has told it."""
    assert await chronicled(
        page,
        """
        const told = [];
        const tell = () => told.push(chronicle.guesses.map((it) => [it.start, it.end, it.label, it.confidence]));
        hello(0);
        label(1, 'violin', 0, { violin: 0.7, flute: 0.25, piano: 0.05 }); tell();
        label(2, 'violin', 0, { violin: 0.5, flute: 0.5 }); tell();
        hear(guess(1, 3, 'flute'));
        label(3, 'violin', 0, { violin: 0.86, flute: 0.14 }); tell();
        label(4, 'flute', 4, { violin: 0.2, flute: 0.8 });
        label(5, 'flute', 4, { violin: 0.3, flute: 0.7 }); tell();
        return told;
        """,
    ) == [
        [],
        [[1, 2, "flute", 0.375]],
        [[1, 3, "flute", 0.2]],
        [[1, 3, "flute", 0.2], [4, 5, "violin", 0.25]],
    ]


async def test_a_chronicle_forgets_what_is_long_ago(page):
    """Six thousand of each kind are kept, and nothing that is more than two and a half hours old."""
    assert await chronicled(
        page,
        """
        hello(0);
        for (let index = 0; index < 7000; index += 1) hear(segment(index, index + 1, 'violin'), 1);
        const many = [chronicle.segments.length, chronicle.segments[0].start];
        hear(mark(7000, 'late'));
        hello(7100);
        label(8000, 'piano', 7000);
        hear(segment(7000, 8000, 'piano'));
        return [many, chronicle.segments.length, chronicle.segments[0].start, chronicle.marks.length];
        """,
    ) == [[6000, 1000], 901, 6100, 1]


async def test_the_clock_goes_on_between_labels_and_trusts_the_earliest(page):
    """The present is the newest label's time and what has passed since, steady though labels come late now and then."""
    present = await chronicled(
        page,
        """
        const told = [chronicle.present(0)];
        hello(1000);
        label(1, 'violin', 0);
        const start = at;
        told.push(chronicle.present(start), chronicle.present(start + 2));
        at = start + 0.45; // a label that should have come after 0.25 s comes after 0.45 s
        silence(1.25);
        told.push(chronicle.present(at) - 1001);
        at = start + 60;
        silence(30);
        told.push(chronicle.present(at));
        return told;
        """,
    )
    assert present[:3] == [None, 1001, 1003]
    assert 0.4 < present[3] <= 0.45
    assert present[4] == 1030


async def test_a_service_that_starts_again_tells_only_what_was_not_known(page):
    """Of what it tells of the time before its start, a page that was open then keeps its own, and takes the rest."""
    assert await chronicled(
        page,
        """
        const before = [segment(-80, -60, 'violin'), segment(-60, -40, 'flute'), segment(-5, -2, 'piano')];
        const marks = [mark(-70, 'known'), mark(-4, 'new')];
        hello(1000, 'first');
        label(20, 'violin', 0);
        history([segment(0, 20, 'violin')], { marks: [mark(10, 'known')] });
        label(20.25, 'flute', 20);
        label(40, 'flute', 20, {}, 0.5);
        hello(1080, 'second');
        label(1, 'trumpet', 0);
        history(before, { marks });
        const again = new Chronicle();
        again.hear({ type: 'hello', labels: [], window: 3, hop: 0.25, utc: 1080, run: 'second' }, 0);
        again.hear(parse(JSON.stringify({ type: 'history', segments: before, marks, guesses: [], outages: [] })), 0);
        return [spans(chronicle.segments), chronicle.marks.map((it) => it.text), spans(again.segments)];
        """,
    ) == [
        [[1000, 1020, "violin"], [1020, 1040, "flute"], [1075, 1078, "piano"]],
        ["known", "new"],
        [[1000, 1020, "violin"], [1020, 1040, "flute"], [1075, 1078, "piano"]],
    ]


async def test_what_was_heard_of_another_source_is_not_shown(page):
    """Of services before, only what was heard of the present source is shown; a session has the present run alone."""
    assert await chronicled(
        page,
        """
        const speak = (utc, run, source, since = 0) => hear({ type: 'hello', labels: [], window: 3, hop: 0.25, utc, run,
            source, model: 'lead', since });
        const whose = (list) => list.map((it) => [it.start ?? it.time, it.label ?? it.text ?? null, it.source, it.run]);
        const told = [];
        const tell = () => told.push([spans(chronicle.segments), chronicle.marks.map((it) => it.text),
            chronicle.gaps.length, whose(chronicle.session.segments), whose(chronicle.session.marks)]);
        speak(1000, 'one', 'stage');
        label(1, 'violin', 0);
        hear(segment(0, 10, 'violin'));
        speak(2000, 'two', 'demo');
        label(1, 'piano', 0);
        hear(segment(0, 10, 'piano'));
        hear(mark(5, 'demo'));
        tell();
        speak(3000, 'three', 'mic');
        hear(mark(0, 'doors'));
        speak(3000.0004, 'three', 'stage');
        label(1, 'flute', 0);
        hear(segment(0, 10, 'flute'));
        speak(3000.0004, 'three', 'built-in', 10);
        label(11, 'violin', 10);
        hear(mark(9, 'of before'));
        hear(segment(10, 12, 'violin'));
        speak(3000.0004, 'three', 'stage', 12);
        tell();
        const everything = chronicle.everything;
        told.push(whose(everything.segments), whose(everything.marks), everything.gaps.length);
        return JSON.parse(JSON.stringify(told).replaceAll('.0004', ''));
        """,
    ) == [
        [[[2000, 2010, "piano"]], ["demo"], 0, [[2000, "piano", "demo", "two"]], [[2005, "demo", "demo", "two"]]],
        [
            [[1000, 1010, "violin"], [3000, 3010, "flute"], [3010, 3012, "violin"]],
            ["doors", "of before"],
            1,
            [[3000, "flute", "stage", "three"], [3010, "violin", "built-in", "three"]],
            [[3000, "doors", "stage", "three"], [3009, "of before", "stage", "three"]],
        ],
        [
            [1000, "violin", "stage", "one"],
            [2000, "piano", "demo", "two"],
            [3000, "flute", "stage", "three"],
            [3010, "violin", "built-in", "three"],
        ],
        [
            [2005, "demo", "demo", "two"],
            [3000, "doors", "stage", "three"],
            [3009, "of before", "stage", "three"],
        ],
        2,
    ]


async def test_a_history_says_whose_it_is(page):
    """A page that is opened later knows what was heard of each source, and by which run, from the history's origins."""
    assert await chronicled(
        page,
        """
        const origin = (start, run, source) => ({ start, run, source, model: 'lead' });
        hear({ type: 'hello', labels: [], window: 3, hop: 0.25, utc: 3000, run: 'two', source: 'stage', model: 'lead',
            since: 20 });
        history([segment(-100, -90, 'piano'), segment(0, 10, 'violin'), segment(10, 20, 'flute')], {
            marks: [mark(-95, 'a'), mark(15, 'b'), mark(25, 'c')],
            origins: [origin(-100, 'one', 'stage'), origin(0, 'two', 'stage'), origin(10, 'two', 'built-in'),
                origin(20, 'two', 'stage'), { start: 'x' }],
        });
        const whose = (list) => list.map((it) => [it.start ?? it.time, it.source, it.run]);
        const { everything, session } = chronicle;
        return [whose(everything.segments), whose(session.segments), whose(session.marks)];
        """,
    ) == [
        [[2900, "stage", "one"], [3000, "stage", "two"], [3010, "built-in", "two"]],
        [[3000, "stage", "two"], [3010, "built-in", "two"]],
        [[3015, "built-in", "two"], [3025, "stage", "two"]],
    ]
