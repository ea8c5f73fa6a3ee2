"""Whether a client knows the token, and how often one may be guessed."""

from __future__ import annotations

import enum
import hashlib
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from stream.server.access import Access
from stream.server.connection_limits import network_of
from stream.server.rate_limit import TokenBucket

GUESSES: Final = (2.0, 20.0)
"""Different wrong tokens a second that one address may say, for long and at once."""
NETWORKS: Final = 1024
"""Addresses of which wrong tokens are remembered, those that came last."""
_REPEATS: Final = 8  # wrong tokens of an address that are known when they come again


class Verdict(enum.Enum):
    """What a client has shown that it knows."""

    RIGHT = enum.auto()
    """The token, or none is required."""
    MISSING = enum.auto()
    """Nothing: it said no token."""
    WRONG = enum.auto()
    """Another token."""
    TOO_OFTEN = enum.auto()
    """Not known: its address has said too many others lately, and this one was not compared."""


@dataclass(slots=True)
class _Guesses:
    bucket: TokenBucket
    told: deque[bytes] = field(default_factory=lambda: deque(maxlen=_REPEATS))  # digests


class TokenGuard:
    """Compares tokens, and slows down who guesses.

    The same wrong token said again is no guess: a page that was opened with an old one comes back for hours, and who
    then types the right one gets in. Where many share an address, behind a proxy say, they share what it may guess;
    it grows so fast that others get their turn unless the guesses never stop.

    Parameters
    ----------
    clock : callable
        Returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._secret = os.urandom(16)  # so that what is remembered tells nobody a token
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()

    def judge(self, access: Access, address: str, told: bytes | None) -> Verdict:
        """Say what a client knows.

        Parameters
        ----------
        access : Access
            Which token is required, if any is.
        address : str
            Where it comes from.
        told : bytes, optional
            What it said, None for nothing.
        """
        if access.token is None:
            return Verdict.RIGHT
        if told is None:
            return Verdict.MISSING
        network = network_of(address)
        if self.wait(address) > 0:
            return Verdict.TOO_OFTEN
        if access.is_token(told):
            return Verdict.RIGHT
        guesses = self._guesses.setdefault(network, _Guesses(TokenBucket(*GUESSES, self._clock)))
        self._guesses.move_to_end(network)
        if len(self._guesses) > NETWORKS:
            self._guesses.popitem(last=False)
        digest = hashlib.blake2b(told, digest_size=8, key=self._secret).digest()
        if digest not in guesses.told:
            guesses.told.append(digest)
            guesses.bucket.take()
        return Verdict.WRONG

    def wait(self, address: str) -> float:
        """Return in how many seconds a token of this address is compared again; 0 for now."""
        guesses = self._guesses.get(network_of(address))
        return 0.0 if guesses is None else guesses.bucket.wait
