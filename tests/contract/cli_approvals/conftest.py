"""The real people port with a desk of scripts, and the command line beside it."""

from __future__ import annotations

import pytest

from tests.contract.cli_approvals.commands import Commands
from tests.contract.people.port import Port


@pytest.fixture
async def port():
    async with Port() as found:
        yield found


@pytest.fixture
def toolgate(port):
    return Commands(port)
