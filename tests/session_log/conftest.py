"""Fixtures of the session log's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.log_writing import Warnings


@pytest.fixture
def warnings() -> Iterator[Warnings]:
    """What the program logs from warnings on, to be waited for."""
    warnings = Warnings()
    yield warnings
    warnings.close()
