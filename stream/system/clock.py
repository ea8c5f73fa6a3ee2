"""The clock that audio is held against: nobody sets it, and it goes on while the machine sleeps."""

from __future__ import annotations

import sys
import time

if sys.platform == "linux":

    def now() -> float:
        """Seconds since some moment in the past."""
        # CLOCK_MONOTONIC stands still while a laptop's lid is closed; the concert goes on.
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:

    def now() -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()
