"""One log for each test."""

from __future__ import annotations

import pytest

from tests.unit.gateway.activity.kit import Logged


@pytest.fixture
async def logged(tmp_path, monkeypatch):
    async with Logged(tmp_path, monkeypatch) as found:
        yield found
