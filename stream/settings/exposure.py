"""Secrets among the settings that others on this machine can read, or that anybody may guess."""

from __future__ import annotations

import re
import shlex

from stream.errors import ConfigError
from stream.server.access import read_token
from stream.server.secrecy import ADVICE, is_weak, others_can_read
from stream.settings.reading import Reading
from stream.system.fields import written


def exposures(reading: Reading) -> list[str]:
    """Say which secrets are not kept well, a line each; no line has any of a secret."""
    server = reading.settings.server
    found = []
    origin = reading.origins.get("token", "")
    if origin.startswith("--"):
        found.append(f"{origin} can be read by everybody on this machine, in the list of processes: use a token_file")
    elif (place := re.fullmatch(r"(.+):\d+", origin)) is not None and others_can_read(place[1]):
        found.append(f"{reading.called('token')} can be read by everybody on this machine: {_protect(place[1])}")
    files = {"token_file": server.token_file, "key": server.key or server.certificate}
    for name, file in files.items():
        if file is not None and others_can_read(file):
            called = name if getattr(server, name) is not None else "certificate"  # which has the key in it, too
            found.append(
                f"{reading.called(called)} is {written(file)}: everybody on this machine can read it: {_protect(file)}"
            )
    try:
        token = read_token(server)
    except ConfigError:
        return found  # it is among the problems
    if token is not None and is_weak(token):
        name = "token" if server.token_file is None else "token_file"
        found.append(f"{reading.called(name)} holds a token that can be guessed; to make a better one: {ADVICE}")
    return found


def _protect(file: str) -> str:
    return f"chmod 600 {shlex.quote(file)}"
