"""What the tests of the dashboard share."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest_asyncio

from tests.support.serving import Stage, staged


@pytest_asyncio.fixture(loop_scope="module")
async def stage(exit_stack: AsyncExitStack) -> Stage:
    """A server on which nothing happens but what the test says."""
    return await exit_stack.enter_async_context(staged())
