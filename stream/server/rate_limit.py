"""How often something may be done: so often for long, and more of it at once."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """Grows with time up to a limit, and is used up by what is done.

    Parameters
    ----------
    rate : float
        How often a second, for long.
    burst : float
        How often at once.
    clock : callable
        Returns seconds that never go back.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._clock = clock
        self._counted = clock()

    def take(self) -> bool:
        """Use up one, if there is one."""
        self._grow()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    @property
    def wait(self) -> float:
        """In how many seconds there is one; 0 for now."""
        self._grow()
        return max(0.0, (1 - self._left) / self._rate)

    def _grow(self) -> None:
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._counted) * self._rate)
        self._counted = now
