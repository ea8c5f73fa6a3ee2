"""A clock that is never set, and that goes on while the machine sleeps."""

from __future__ import annotations

import sys
import time

if sys.platform == "linux":

    def now() -> float:
        """Return seconds since some moment in the past."""
        # CLOCK_MONOTONIC stands still while a laptop's lid is closed; the concert goes on.
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:

    def now() -> float:
        """Return seconds since some moment in the past."""
        return time.monotonic()
