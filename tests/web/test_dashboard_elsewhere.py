"""The pages where others put them: below a path of a proxy, in a frame; and pages from elsewhere that connect."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.browser import HopPublisher, OpenTab
from tests.support.certificates import Certificate
from tests.support.nginx import proxied
from tests.support.serving import PATIENCE, staged

pytestmark = pytest.mark.asyncio(loop_scope="module")


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Serve a folder as another site does; yields its origin."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_pages_live_below_a_path(
    publisher: HopPublisher, open_tab: OpenTab, exit_stack: AsyncExitStack, certificate: Certificate
) -> None:
    """Behind a proxy with TLS, dashboard and overlay connect to the socket beside them, and link to each other."""
    address = await exit_stack.enter_async_context(proxied(publisher.stage.port, certificate))
    tab = await open_tab(f"https://{address}/soloist", ignore_https_errors=True)
    await tab.is_in("instrument")
    assert tab.page.url == f"https://{address}/soloist/"
    await tab.page.locator("body").press("?")
    async with tab.page.expect_popup() as popup:
        await tab.page.get_by_role("link", name="The instrument alone").click()
    overlay = await popup.value
    assert overlay.url == f"https://{address}/soloist/overlay"
    await overlay.wait_for_selector(".card[data-name=Violin]")


async def test_only_pages_that_are_named_show_it_in_a_frame(
    open_tab: OpenTab, exit_stack: AsyncExitStack, tmp_path: Path
) -> None:
    """A page of another site shows the overlay in a frame where its origin is named, and nothing where it is not."""
    site = exit_stack.enter_context(web_server(tmp_path))
    frames = []
    for name, ancestors in (
        ("none", ()),
        ("other", ("http://127.0.0.1:1",)),
        ("self", ("'self'",)),
        ("named", (site,)),
    ):
        stage = await exit_stack.enter_async_context(staged(frame_ancestors=ancestors))
        frames.append(f'<iframe name="{name}" src="http://{stage.address}/overlay"></iframe>')
    (tmp_path / "panel.html").write_text(f'<link rel="icon" href="data:,">{"".join(frames)}')
    tab = await open_tab()
    tab.expected = "frame"  # what Chromium says of those that are refused
    await tab.page.goto(f"{site}/panel.html")
    await tab.page.frame_locator("[name=named]").locator(".card[data-name=Violin]").wait_for()
    shown = [frame.name for frame in tab.page.frames[1:] if await frame.locator(".overlay").count()]
    assert shown == ["named"]


PROBE = """<link rel="icon" href="data:,"><script>
const socket = new WebSocket("ws://{address}/ws");
socket.onmessage = () => document.title = "connected";
socket.onclose = () => document.title = "refused";
</script>"""


async def test_page_from_a_file_has_no_origin(open_tab: OpenTab, exit_stack: AsyncExitStack, tmp_path: Path) -> None:
    """A page opened from a file may not connect, nor may a sandboxed frame; the same served by HTTP and named may."""
    site = exit_stack.enter_context(web_server(tmp_path))
    stage = await exit_stack.enter_async_context(staged(origins=frozenset({site})))
    (tmp_path / "probe.html").write_text(PROBE.format(address=stage.address))
    (tmp_path / "frame.html").write_text(
        '<link rel="icon" href="data:,"><iframe sandbox="allow-scripts" src="probe.html">'
    )
    for address, told in (
        ((tmp_path / "probe.html").as_uri(), "refused"),
        (f"{site}/probe.html", "connected"),
        (f"{site}/frame.html", "refused"),
    ):
        tab = await open_tab()
        tab.expected = "WebSocket"
        await tab.page.goto(address)
        async with asyncio.timeout(PATIENCE):
            await tab.page.frames[-1].wait_for_function("told => document.title === told", arg=told)
    assert b'soloist_refused_connections_total{reason="origin"} 2.0' in stage.metrics.text()
