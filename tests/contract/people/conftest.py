"""One port for each test."""

from __future__ import annotations

import pytest

from tests.contract.people.port import Port


@pytest.fixture
async def port():
    async with Port() as found:
        yield found
