"""How long tests wait."""

from typing import Final

PATIENCE: Final = 60.0
"""Seconds after which a test takes what it waits for as missing. A busy machine needs many times as long."""
