"""Grammars over a vocabulary of bytes and control tokens."""

from collections.abc import AsyncIterator

import pytest_asyncio
from jan_host.kit.structure import Grammars

from tests.core.kit.tools.bytewise import table


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def grammars() -> AsyncIterator[Grammars]:
    opened = Grammars(table())
    yield opened
    await opened.close()
