"""Grammars over a vocabulary of bytes."""

from collections.abc import AsyncIterator

import pytest_asyncio
from jan_host.kit.structure import Grammars

from tests.core.kit.structure.writing import nothing_left, table


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def grammars() -> AsyncIterator[Grammars]:
    with nothing_left():
        made = Grammars(table())
        yield made
        await made.close()
