"""Below a path of a real nginx: every address is relative, plain and by TLS."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from pathlib import Path
from urllib.parse import urljoin

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from stream.client import Client
from stream.protocol.messages import Label
from stream.server.host_names import first_label
from tests.support.certificates import Certificate
from tests.support.nginx import LOCATION, proxied
from tests.support.serving import PATIENCE, check, staged

DOCS = Path(__file__).parents[2] / "docs"
NAMED = re.compile(
    r"""(?:href|src)="([^"#]+)"|(?:from|import)\s*\(?"(\.[^"]+)"|url\(["']?([^"')#]+)|"(?:src|start_url)":\s*"([^"]+)\""""
)


async def fetch(address: str, path: str) -> tuple[int, dict[str, str], str]:
    """Return status, header and body of what a proxy answers."""
    reader, writer = await asyncio.open_connection(*address.split(":"))
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    first, *fields = head.decode().split("\r\n")
    return int(first.split()[1]), dict(it.split(": ", 1) for it in fields), body.decode("utf-8", "replace")


async def test_everything_that_a_page_names_is_below_the_path() -> None:
    """Whatever pages, styles, scripts and the manifest name is there, below the path that the proxy has for it."""
    async with staged() as stage, proxied(stage.port) as address:
        status, header, _ = await fetch(address, "/soloist")
        assert (status, header["Location"]) == (301, f"http://{address}/soloist/")
        seen, waiting = set[str](), [f"/soloist/{page}" for page in ("", "index.html", "overlay", "overlay.html")]
        while waiting:
            path = waiting.pop()
            seen.add(path)
            status, header, body = await fetch(address, path)
            assert status == 200, path
            if header["Content-Type"].startswith("image/png"):
                continue
            for found in NAMED.finditer(body):
                other = urljoin(path, next(it for it in found.groups() if it is not None))
                if not other.startswith(("data:", "http:", "https:")) and other not in seen:
                    waiting.append(other)
        assert len(seen) > 60
        assert {"/soloist/app.js", "/soloist/manifest.webmanifest", "/soloist/icons/512.png"} < seen
        # A proxy that leaves out no more than its path sends the slash after it twice.
        assert (await fetch(stage.address, "//app.js"))[0] == 200
        assert (await fetch(stage.address, "//"))[0] == 200
        assert (await fetch(stage.address, "//etc/passwd"))[0] == 404


async def test_clients_find_the_socket_below_the_path(certificate: Certificate) -> None:
    """The client takes the page's own address, and a page of the proxy's own host may connect, another may not."""
    async with staged() as stage, proxied(stage.port) as address, proxied(stage.port, certificate) as safe:
        for url, ca in (
            (f"http://{address}/soloist/", None),
            (f"https://{safe}/soloist/", str(certificate.certificate)),
        ):
            async with Client(url, ca=ca) as client, asyncio.timeout(PATIENCE):
                while not isinstance(await anext(client), Label):
                    pass
        own = first_label(socket.gethostname()) or "localhost"
        trust = ssl.create_default_context(cafile=certificate.certificate)
        for scheme, place, tls in (("ws", address, None), ("wss", safe, trust)):
            page = f"{scheme.replace('ws', 'http')}://{place}"
            async with connect(f"{scheme}://{place}/soloist/ws", ssl=tls, origin=page) as socket_:
                assert check(await socket_.recv())["type"] == "hello"
            with pytest.raises(InvalidStatus) as error:
                await connect(f"{scheme}://{place}/soloist/ws", ssl=tls, origin=f"http://{own}.evil.example")
            assert error.value.response.status_code == 403


def test_configuration_is_the_documented_one() -> None:
    """What nginx is told here is what docs/security.md advises."""

    def lines(text: str) -> list[str]:
        return [line.strip() for line in text.strip().splitlines()]

    blocks = re.findall(r"```nginx\n(.*?)```", (DOCS / "security.md").read_text(encoding="utf-8"), re.DOTALL)
    assert [lines(block) for block in blocks] == [lines(LOCATION)]
