"""The link that opens the page: where it leads, and that it is shown in a terminal and nowhere else."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from stream.protocol.address import address, token_in
from stream.service.page_link import page_link, show_page_link
from tests.support.processes import SOLOIST, program
from tests.support.waiting import PATIENCE

TOKEN = "b+h22m/Fam45 ütm&1d=#%20"


class Terminal(io.StringIO):
    """Text that thinks it is a terminal."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("listening", "hosts", "expected"),
    [
        ("http://127.0.0.1:8765/", (), "http://127.0.0.1:8765/"),
        ("https://[2001:db8::7]:1/", (), "https://[2001:db8::7]:1/"),
        ("http://192.168.1.5:8765/", ("stage",), "http://192.168.1.5:8765/"),
        ("https://0.0.0.0:8765/", ("stage.example.org", "other"), "https://stage.example.org:8765/"),
    ],
)
def test_link_leads_to_the_page(listening: str, hosts: tuple[str, ...], expected: str) -> None:
    """It names the address that is listened on, or the server's name, and the token as both page and client read it."""
    assert page_link(listening, None, hosts) == expected
    link = page_link(listening, TOKEN, hosts)
    assert link.startswith(f"{expected}#token=")
    assert re.fullmatch(r"[!-~]+", link), "a terminal would end the link at a space"
    assert token_in(link) == TOKEN
    assert address(link) == address(expected)


@pytest.mark.parametrize("listening", ["http://0.0.0.0:8765/", "http://[::]:8765/"])
def test_link_never_leads_to_all_addresses(listening: str) -> None:
    """Where all addresses are listened on, it names one that others can open, or the machine."""
    found = re.fullmatch(r"http://(.+):8765/", page_link(listening, None))
    assert found is not None
    assert found[1].strip("[]") not in ("0.0.0.0", "::", "")
    if found[1] != socket.gethostname():
        with socket.socket(socket.AF_INET6 if ":" in found[1] else socket.AF_INET) as own:
            own.bind((found[1].strip("[]"), 0))  # which only this machine's own can be


def test_code_is_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """The half blocks in the terminal are the modules of the link's QR code, light on dark, with a margin."""
    qrcode = pytest.importorskip("qrcode", reason="qrcode is not installed (extra qr)")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "50")
    link, out = "http://192.168.1.5:8765/#token=secret", Terminal()
    show_page_link(out, link)
    first, *lines = out.getvalue().splitlines()
    assert first == f"open {link}"
    drawn = [re.fullmatch("\x1b\\[97;40m([█▀▄ ]+)\x1b\\[0m", line) for line in lines]
    halves = {"█": (False, False), "▀": (False, True), "▄": (True, False), " ": (True, True)}
    rows = [[halves[block][half] for block in it[1]] for it in drawn if it is not None for half in (0, 1)]
    expected = qrcode.QRCode(border=2)
    expected.add_data(link)
    assert rows[: len(rows) - 1] == expected.get_matrix()


def test_code_needs_room_and_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the code does not fit there is the link alone; without the package a command that installs it."""
    link = "http://192.168.1.5:8765/#token=secret"
    for variable, value in (("COLUMNS", "20"), ("LINES", "10")):
        with monkeypatch.context() as patch:
            patch.setenv("COLUMNS", "80")
            patch.setenv("LINES", "50")
            patch.setenv(variable, value)
            out = Terminal()
            show_page_link(out, link)
            assert out.getvalue() == f"open {link}\n"
    monkeypatch.setitem(sys.modules, "qrcode", None)
    out = Terminal()
    show_page_link(out, link)
    assert re.search(r"QR code: .*pip .*\[qr\]", out.getvalue())
    for local in ("http://127.0.0.1:8765/#token=x", "http://localhost:8765/"):  # which no phone can open
        out = Terminal()
        show_page_link(out, local)
        assert out.getvalue() == f"open {local}\n"
    plain = io.StringIO()
    show_page_link(plain, link)
    assert plain.getvalue() == ""


async def test_service_shows_the_link_in_its_terminal(tmp_path: Path) -> None:
    """Started in a terminal, the service shows the link with the token; its log beside it does not have the token."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    inside, outside = pty.openpty()
    arguments = ("run", "--input", "demo", "--port", "0", "--token-file", str(file))
    with open(inside, "rb", buffering=0) as terminal:  # noqa: ASYNC230 - it is open
        try:
            async with program(*SOLOIST, *arguments, stderr=outside, env={**os.environ, "TERM": "xterm"}) as process:
                shown = b""
                async with asyncio.timeout(PATIENCE):
                    while b"#token=" not in shown or not shown.endswith(b"\n"):
                        shown += await asyncio.to_thread(terminal.read, 4096)
                process.send_signal(signal.SIGTERM)
                await process.wait()
        finally:
            os.close(outside)
    listening, link = shown.decode().splitlines()
    assert re.fullmatch(r"soloist: listening on http://127\.0\.0\.1:\d+/", listening)
    assert link == f"open {page_link(listening.rpartition(' ')[2], TOKEN)}"
