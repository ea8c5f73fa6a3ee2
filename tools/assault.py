"""Random attacks over the network, on a server that has to stand them.

``python -m tools.assault --minutes 5 --seed 1 [--tls]``; with TLS the attacks come through it, and are made on it, too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import random
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeAlias

from websockets.asyncio.client import connect

from stream.server.access import tls_context
from tests.support import serving
from tests.support.certificates import Certificate, make
from tests.support.serving import PATIENCE, Listener, Raw, Stage, frame, staged, validator

AT_ONCE = 16
STATUSES = {101, 200, 304, 400, 403, 404, 405, 414, 421, 426, 429, 431, 503, 505}
"""What a server may answer; an error of its own, 500, is none of them."""
CODES = {1000, 1002, 1003, 1007, 1008, 1009, 1010, 1013}
"""Why a server may close; 1011, a fault of its own, is none of them. It repeats a client's own code."""

_SERVER = validator("server")

Case = tuple[bool, list[bytes]]
"""Whether a handshake comes first, and what is sent, a write each."""

_JUNK: list[Callable[[random.Random], bytes]] = [
    lambda rng: rng.randbytes(rng.randrange(40)),
    lambda rng: b"\x00" * rng.randrange(40),
    lambda rng: rng.choice(
        [b"\r\n", b"\n", b"\r", b"\t", b" ", b":", b",", b";", b'"', b"\xff", b"\x0b", b"%00", b"\\"]
    ),
    lambda rng: rng.choice([b"-1", b"0", b"1e999", b"9" * 400, b"NaN", b"18446744073709551616", b"0x7f", b"null"]),
    lambda rng: "💥\u202e\ufeff".encode(),
    lambda rng: bytes([rng.randrange(256)]) * rng.choice([1, 100, 5000]),
]


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return something like these bytes: with parts of it left out, doubled, changed, or junk between."""
    for _ in range(rng.choice([0, 0, 1, 1, 2, 5])):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice([0, 1, 3, 20]))
        part = data[start:end]
        match rng.randrange(4):
            case 0:
                part = b""
            case 1:
                part = part * rng.choice([2, 3, 50])
            case 2:
                part = rng.choice(_JUNK)(rng)
            case 3:
                part = bytes(byte ^ 1 << rng.randrange(8) for byte in part)
        data = data[:start] + part + data[end:]
    return data


METHODS = ["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "CONNECT", "PRI", "get", "", "G" * 9000, "GÉT"]
PATHS = ["/ws", "/", "/ws?x=1", "/healthz", "/metrics", "/app.js", "/overlay", "*", "http://evil.example/", "",
         "/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/views/../../stream/server/server.py", "/\0", "/ä",
         "/index.html\\", "/" + "x" * 9000, "/?" + "a=b&" * 1000]  # fmt: skip
VERSIONS = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "", "X" * 9000]
SHAKE = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {'A' * 22}==", "Sec-WebSocket-Version: 13"]
FIELDS = {
    "Host": ["HOST", "HOST", "HOST", "localhost", "evil.example", "", "[", "[::1]", "HOST@x", "x" * 8000],
    "Upgrade": ["websocket", "WebSocket", "h2c", "websocket, x", "websocket/13", "", ","],
    "Connection": ["Upgrade", "keep-alive, Upgrade", "close", "upgrade", "", '"', "," * 500],
    "Sec-WebSocket-Key": ["A" * 22 + "==", "A" * 20, "", "ä", "=", "A" * 7000],
    "Sec-WebSocket-Version": ["13", "13", "8", "13, 8", "0", "", "1e1", "13" * 100],
    "Origin": ["http://HOST", "null", "http://evil.example", "", "http://", "://", "http://" + "x" * 7000],
    "Sec-WebSocket-Extensions": ["permessage-deflate", 'permessage-deflate; x="', ";;;", "a" * 7000, ","],
    "Sec-WebSocket-Protocol": ["soap", "a, b", "", ",", '"'],
    "Authorization": ["Bearer", "Bearer x", "Basic eDp4", "", "Bearer " + "x" * 5000, "ä"],
    "Content-Length": ["0", "5", "-1", "x", "9" * 50],
    "Transfer-Encoding": ["chunked", "identity", "x"],
    "If-None-Match": ["*", '"x"', "W/" * 1000],
    "Expect": ["100-continue"],
    "X-Forwarded-Host": ["evil.example"],
    " folded": ["line"],
    "": ["no name"],
    "X": ["y", "y" * 4000, "y" * 9000],
}


def request(rng: random.Random, host: str) -> bytes:
    """Return an HTTP request: plain or for an upgrade, right or wrong."""
    names = rng.sample(sorted(FIELDS), rng.choice([0, 0, 0, 1, 1, 1, 2, 3, len(FIELDS)]))
    fields = [f"{name}: {rng.choice(FIELDS[name])}" for name in names]
    fields += rng.choice([[], ["Host: HOST"], ["Host: HOST", *SHAKE], ["Host: HOST", *SHAKE], ["Host: HOST", *SHAKE]])
    if rng.random() < 0.1:
        fields += rng.choice([["no colon"], [f"A{number}: b" for number in range(rng.choice([127, 128, 500]))]])
    rng.shuffle(fields)
    end = rng.choice(["\r\n"] * 8 + ["\n", "\r"])
    first = [rng.choice(many[:1] if rng.random() < 0.7 else many) for many in (METHODS, PATHS, VERSIONS)]
    lines = [" ".join(first), *fields, "", ""]
    return end.join(lines).replace("HOST", host).encode(rng.choice(["utf-8", "latin-1"]))


def value(rng: random.Random, depth: int = 3) -> Any:
    """Return anything that JSON can hold, and more."""
    match rng.randrange(9 if depth else 7):
        case 0:
            return rng.choice([None, True, False])
        case 1:
            return rng.choice([0, -1, 1, 10**400, -(10**30), 2**63, 600, 601])
        case 2:
            return rng.choice([0.5, 1e308, -0.0, 5e-324, float("nan"), float("inf"), float("-inf")])
        case 3:
            return rng.choice(["", "x", "x" * 201, "\0", "\ud83c", "🎷" * 200, "violin", "label", "mark", "\x1b[2J"])
        case 4:
            return rng.choice([["label"], ["violin"], ["label"] * 300, ["everything"], ["violin", 1]])
        case 5 | 6:
            return rng.randrange(1000)
        case 7:
            return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
        case _:
            return {f"{number}": value(rng, depth - 1) for number in range(rng.randrange(4))}


def text(rng: random.Random) -> bytes:
    """Return what a client may say, or something like it."""
    if rng.random() < 0.1:
        return rng.choice(
            [b"[" * 4000, b'{"a":' * 800, b'{"type":' * 400, b'"\\ud83c"', b"9" * 4000, b"{}", b"", b"\xed\xa0\x80"]
        )
    kind = rng.choice(["subscribe", "history", "mark", "ping", "auth", "label", value(rng)])
    fields = {"type": kind}
    for name in ("types", "instruments", "min_confidence", "max_rate", "seconds", "text", "ago", "token", "x"):
        if rng.random() < 0.25:
            fields[name] = value(rng)
    said = json.dumps(fields, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    return mutated(rng, said) if rng.random() < 0.4 else said


def frames(rng: random.Random) -> bytes:
    """Return frames of a client, or something like it."""
    sent = b""
    for _ in range(rng.choice([1, 1, 2, 5, 80])):
        match rng.randrange(12):
            case 0:
                sent += frame(
                    rng.randbytes(rng.choice([0, 5, 125, 126, 4096, 5000])), rng.randrange(16), rng.random() < 0.7
                )
            case 1:  # lengths that are not there, huge, or not the shortest
                size = rng.choice([0, 5, 2**16, 2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
                sent += b"\x81\xff" + size.to_bytes(8, "big") + rng.randbytes(rng.randrange(10))
            case 2:
                sent += bytes([rng.randrange(256), rng.randrange(256)]) + rng.randbytes(rng.randrange(20))
            case 3:  # not masked
                sent += b"\x81\x02{}"
            case 4:
                code = rng.choice(
                    [0, 999, 1000, 1001, 1004, 1005, 1006, 1011, 1015, 1016, 2999, 3000, 4999, 5000, 65535]
                )
                sent += frame(code.to_bytes(2, "big") + rng.choice([b"", b"bye", b"\xff", b"x" * 124]), 8)
            case 5:
                sent += frame(rng.randbytes(rng.choice([0, 1, 2, 126])), rng.choice([8, 9, 10]), rng.random() < 0.8)
            case 6:
                said = text(rng)
                cut = rng.randrange(len(said) + 1)
                sent += frame(said[:cut], 1, fin=False) + rng.choice([b"", frame(b"", 9)]) + frame(said[cut:], 0)
            case 7:
                sent += frame(b"x" * 1500, rng.choice([0, 1, 2]), fin=False)
            case 8:
                mask = rng.randbytes(4)
                said = text(rng)[:125]
                sent += bytes([0x81, 128 | len(said)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(said))
            case _:
                sent += frame(text(rng))
    return mutated(rng, sent) if rng.random() < 0.2 else sent


def case(rng: random.Random, host: str) -> Case:
    """Make up an attack."""
    shaken = rng.random() < 0.5
    sent = frames(rng) if shaken else request(rng, host)
    if not shaken and rng.random() < 0.3:
        sent = mutated(rng, sent)
    if not shaken and rng.random() < 0.2:
        sent += rng.choice([request(rng, host), frames(rng), rng.randbytes(3000)])  # without waiting for an answer
    if rng.random() < 0.7:
        return shaken, [sent]
    cuts = sorted(rng.randrange(len(sent) + 1) for _ in range(rng.choice([1, 2, 9])))
    return shaken, [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]


def judge_frames(answer: bytes) -> None:
    """Fail unless these are a server's frames, complete up to the end or a close, that the schema describes."""
    parts = b""
    while len(answer) >= 2:
        first, size = answer[0], answer[1]
        assert size < 128, "a server's frame is masked"
        start = 2
        if size > 125:
            start = 4 if size == 126 else 10
            size = int.from_bytes(answer[2:start], "big")
        content, answer = answer[start : start + size], answer[start + size :]
        assert not first & 0x70, "reserved bits"
        match first & 15:
            case 0 | 1:
                parts += content
                if first & 128 and len(content) == size:
                    _SERVER.validate(json.loads(parts.decode()))
                    parts = b""
            case 8:
                if content:
                    code = int.from_bytes(content[:2], "big")
                    assert code in CODES or code in range(3000, 5000) or code in (1001, 1011, 1012, 1014), code
                    assert b"more than" in content or code != 1008
                assert not answer, "something after a close"
            case opcode:
                assert opcode == 10, opcode


class Tunnel:
    """TLS over a plain connection: its bytes can be damaged, and its sending end be closed before the other.

    Parameters
    ----------
    raw : Raw
        The plain connection.
    trust : ssl.SSLContext
        What the client trusts.
    """

    def __init__(self, raw: Raw, trust: ssl.SSLContext) -> None:
        self._reader, self._writer = raw
        self._received, self._sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._received, self._sent, server_hostname="localhost")

    async def shake(self) -> None:
        """Do the handshake."""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._writer.write(self._sent.read())
                await self._receive()
        self._writer.write(self._sent.read())

    def hello(self) -> bytes:
        """Return what begins a handshake."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._sent.read()

    def write(self, data: bytes) -> None:
        """Send something."""
        self._writer.write(self.records(data))

    def records(self, data: bytes) -> bytes:
        """Encrypt something, without sending it."""
        self._tls.write(data)
        return self._sent.read()

    def farewell(self) -> bytes:
        """Return what ends TLS; nothing can be read afterwards."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        return self._sent.read()

    def write_eof(self) -> None:
        """Send nothing more, and do not say so in TLS."""
        self._writer.write_eof()

    async def read(self, size: int) -> bytes:
        """Return what came, nothing at its end."""
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                await self._receive()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def _receive(self) -> None:
        data = await self._reader.read(65_536)
        self._received.write(data) if data else self._received.write_eof()


Way: TypeAlias = tuple[asyncio.StreamReader | Tunnel, asyncio.StreamWriter | Tunnel]
"""What one reads from and writes to."""


@contextlib.asynccontextmanager
async def way(stage: Stage, shaken: bool, trust: ssl.SSLContext | None) -> AsyncIterator[Way]:
    """Connect, with TLS or without, and do the handshake of a WebSocket if it is to be."""
    async with stage.plain() as raw:
        inner: Way = raw
        if trust is not None:
            tunnel = Tunnel(raw, trust)
            await tunnel.shake()
            inner = tunnel, tunnel
        if shaken:
            reader, writer = inner
            writer.write("\r\n".join(["GET /ws HTTP/1.1", f"Host: {stage.address}", *SHAKE, "", ""]).encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = await reader.read(1)
                assert piece, answer
                answer += piece
            assert answer.startswith(b"HTTP/1.1 101 "), answer
        yield inner


async def tear(stage: Stage, rng: random.Random, trust: ssl.SSLContext) -> str:
    """Damage TLS itself, in its handshake or after it, and wait for the end."""
    with contextlib.suppress(OSError):
        async with asyncio.timeout(PATIENCE), stage.plain() as (reader, writer):
            tunnel = Tunnel((reader, writer), trust)
            if rng.random() < 0.5:
                sent = tunnel.hello()
            else:
                await tunnel.shake()
                sent = tunnel.records(request(rng, stage.address))
                sent += rng.choice([b"", tunnel.farewell(), rng.randbytes(5), rng.randbytes(20_000)])
            sent = mutated(rng, sent)[: rng.choice([1, 5, 50, 500, 100_000])]
            writer.write(sent)
            if rng.random() < 0.5:
                writer.write_eof()
                while await reader.read(65_536):
                    pass
    return "torn"


async def attack(
    stage: Stage, shaken: bool, writes: list[bytes], politely: bool, trust: ssl.SSLContext | None = None
) -> str:
    """Send something, read to the end, and fail unless there is one, and what came is proper; return what it was."""
    answer = b""
    try:
        async with asyncio.timeout(PATIENCE), way(stage, shaken, trust) as (reader, writer):
            for data in writes:
                writer.write(data)
                await asyncio.sleep(0)
            if not politely:
                return "hung up"
            if not shaken and b"\r\n\r\n" in b"".join(writes):
                # A request whose sender hangs up is not answered.
                with contextlib.suppress(TimeoutError):
                    answer = await asyncio.wait_for(reader.read(65_536), 0.5)
            writer.write_eof()
            while data := await reader.read(65_536):
                answer += data
    except TimeoutError:
        raise
    except OSError:
        return "reset"
    if shaken:
        judge_frames(answer)
        return "frames"
    if not answer:
        return "nothing"
    head, _, rest = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert head.startswith(b"HTTP/1.1 "), head[:40]
    assert status in STATUSES, head
    assert b"Traceback" not in rest
    assert b"root:" not in rest
    if status == 101:
        judge_frames(rest)
    return f"{status}"


async def assault(stage: Stage, rng: random.Random, count: int, trust: ssl.SSLContext | None = None) -> Counter[str]:
    """Attack so often, many at once, while a healthy client listens; return what became of the attacks.

    Parameters
    ----------
    stage : Stage
    rng : random.Random
    count : int
    trust : ssl.SSLContext, optional
        What clients trust, where the stage has TLS.
    """
    seen: Counter[str] = Counter()
    url = stage.url if trust is None else stage.url.replace("ws:", "wss:")
    async with connect(url, ssl=trust) as connection:
        witness = Listener(connection)
        await witness.greeting()
        seq = stage.server.state.label.seq if stage.server.state.label else 0
        for _ in range(count // AT_ONCE):
            cases = [case(rng, stage.address) for _ in range(AT_ONCE)]
            politely = [rng.random() < 0.9 for _ in cases]
            tasks = [
                attack(stage, *it, kind, trust)
                if trust is None or rng.random() < 0.8
                else tear(stage, random.Random(rng.random()), trust)
                for it, kind in zip(cases, politely, strict=True)
            ]
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for it, result in zip(cases, results, strict=True):
                if isinstance(result, BaseException):
                    raise AssertionError(f"{result!r} came of {str(it)[:3000]}") from result
                seen[result] += 1
            seq += 1
            stage.hop(seq, rng.choice(["violin", "flute"]))
            await reached(witness, seq)
            stage.published.clear()
    return seen


async def reached(witness: Listener, seq: int) -> None:
    """Wait until the healthy client has a label."""
    while (await witness.until("label"))[-1]["seq"] < seq:
        pass


async def settled(stage: Stage) -> None:
    """Wait until nothing is left of those who came."""
    await stage.emptied()
    serving._check.cache_clear()  # which grows with what the witness hears
    gc.collect()


def _resident() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def _files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextlib.asynccontextmanager
async def fortified(certificate: Certificate) -> AsyncIterator[tuple[Stage, ssl.SSLContext]]:
    """Serve a stage with TLS; also yields what its clients trust."""
    trust = ssl.create_default_context(cafile=certificate.certificate)
    async with staged(tls=tls_context(str(certificate.certificate), str(certificate.key))) as stage:
        yield stage, trust


async def _run(stage: Stage, minutes: float, seed: int, trust: ssl.SSLContext | None) -> None:
    rng = random.Random(seed)
    seen = await assault(stage, rng, 2000, trust)
    await settled(stage)
    before, tasks, files = _resident(), len(asyncio.all_tasks()), _files()
    until = time.monotonic() + 60 * minutes
    while time.monotonic() < until:
        seen += await assault(stage, rng, 1600, trust)
    await settled(stage)
    files = _files() - files
    tasks = len(asyncio.all_tasks()) - tasks
    print(f"{seen.total()} cases with seed {seed}: {dict(seen.most_common())}")  # noqa: T201
    print(f"resident {before:.1f} -> {_resident():.1f} MB, tasks {tasks:+d}, files {files:+d}")  # noqa: T201


async def _main(minutes: float, seed: int, tls: bool) -> None:
    if not tls:
        async with staged() as stage:
            await _run(stage, minutes, seed, None)
        return
    with tempfile.TemporaryDirectory() as folder:
        async with fortified(make(Path(folder))) as (stage, trust):
            await _run(stage, minutes, seed, trust)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(options.minutes, options.seed, options.tls))
