"""How many files the process may have open: each connection takes one."""

from __future__ import annotations

import resource


def allow(count: int) -> int:
    """Let the process have so many files open, as far as the system lets it; return how many it may have, or that."""
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if least == resource.RLIM_INFINITY or least >= count:
        return count
    allowed = count if most == resource.RLIM_INFINITY else min(count, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(least, allowed), most))
    return allowed
