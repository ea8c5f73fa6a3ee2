"""`soloist listen`: a subscriber in the terminal."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from stream.cli.argument_parser import comma_separated
from stream.cli.own_service import add_client_flags, certificate_authority, client_token, own_server
from stream.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.client import Disconnected
    from stream.protocol.messages import Message

HELP = "subscribe to a running service and print what it hears"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which service it is, and what is wanted of it."""
    add = parser.add_argument
    add(
        "url",
        nargs="?",
        help="HOST, HOST:PORT, HOST/PATH/ or the page's address (SOLOIST_HOST and _PORT, or 127.0.0.1)",
    )
    add("--json", action="store_true", default=False, help="every message as a line of JSON")
    add("--types", type=comma_separated, metavar="A,B", help="types of messages")
    add("--instruments", type=comma_separated, metavar="A,B", help="only these instruments")
    add("--lines", type=_lines, metavar="A,B|all", help="these lines, each for itself, instead of the one in front")
    add("--min-confidence", type=float, metavar="P", help="only when at least this sure, 0 to 1")
    add("--max-rate", type=float, metavar="N", help="at most so many labels a second")
    add_client_flags(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Tell what a running service hears."""
    import asyncio
    import signal

    wanted = {
        key: value
        for key, value in vars(options).items()
        if key in ("types", "instruments", "min_confidence", "max_rate", "lines")
    }
    url = vars(options).get("url") or own_server()
    token = client_token(options, url)
    ca = certificate_authority(options)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # for which asyncio has a better one
    asyncio.run(listen(url, wanted, token, options.json, ca))
    return 0


def _lines(text: str) -> str | tuple[str, ...]:
    """Read names of lines, or what stands for all of them."""
    from stream.protocol.requests import ALL_LINES

    return text if text.strip() == ALL_LINES else comma_separated(text)


async def listen(url: str, wanted: Mapping[str, Any], token: str | None, as_json: bool, ca: str | None = None) -> None:
    """Tell what a server hears on standard output, until interrupted.

    Parameters
    ----------
    url : str
        The server's address.
    wanted : mapping
        The subscription, as for `stream.client.Client`.
    token : str, optional
        What the server requires.
    as_json : bool
        Whether to write every message as a line of JSON, rather than a display for people.
    ca : str, optional
        PEM file with the authority of a `wss` server's certificate.

    Raises
    ------
    SoloistError
        When the server cannot be understood or does not let us in.
    """
    from stream.cli.listen_display import Display
    from stream.client import Client

    display = None if as_json else Display(sys.stdout)
    try:
        async with Client(url, token=token, ca=ca, **wanted) as client:
            async for message in client:
                if display is not None:
                    display.show(message)
                else:
                    sys.stdout.write(_line(message))
                    sys.stdout.flush()
    except RefusedError as error:
        if error.code == "unauthorized":
            raise RefusedError(f"{error}; --token-file or SOLOIST_TOKEN gives it") from error
        raise
    finally:
        if display is not None:
            display.close()


def _line(message: Message | Disconnected) -> str:
    from stream.client import Disconnected
    from stream.protocol.encoding import encode

    if isinstance(message, Disconnected):
        return json.dumps({"type": message.type, "reason": message.reason, "retry": round(message.retry, 2)}) + "\n"
    return encode(message) + "\n"
