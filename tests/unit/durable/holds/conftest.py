"""One database in memory for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.durable.holds.kit import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    database = Bench()
    yield database
    database.close()
