"""Fixtures of the browser tests. Tests here are plain functions: see README.md."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))

import pytest

from tests.browser.company import Company
from tests.browser.corpus import Corpus
from tests.browser.looks import Axe
from tests.browser.prepared import prepare
from tests.conftest import AXE, CHROMIUM

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            parts = ("chromium", "playwright") if "browser" in item.fixturenames else ()
            parts += ("axe",) if "axe" in item.fixturenames else ()
            item.add_marker(pytest.mark.needs(*parts))


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A really running gateway with reviewers, agents and tool servers."""
    with Company(tmp_path_factory.mktemp("company")) as found:
        yield found


@pytest.fixture(scope="module")
def holds(company):
    """The twenty prepared holds, by name. Decide others: they are shared by the module."""
    return prepare(company)


@pytest.fixture(scope="module")
def corpus(company):
    """``corpus.file(name)``: a hostile value in every field of a held call."""
    return Corpus(company)


@pytest.fixture(scope="module")
def browser():
    """One Chromium for the module."""
    from tests.browser.chromium import chromium

    with chromium(CHROMIUM) as found:
        yield found


@pytest.fixture
def visits(browser, company):
    """``visits("ben", width=320, scheme="dark")``: a page; afterwards nothing may have gone wrong."""
    from tests.browser.visits import Visits

    found = Visits(browser, company)
    yield found
    found.close()


@pytest.fixture(scope="module")
def logins(browser, company):
    """``visits(None, storage_state=logins("ben"))``: Ben, logged in once for all such visits of the module."""
    from tests.browser.visits import Visits

    @functools.cache
    def state(who):
        found = Visits(browser, company)
        try:
            return found(who).context.storage_state()
        finally:
            found.close()

    return state


@pytest.fixture
def page(visits):
    """Ana has just logged in."""
    return visits("ana")


@pytest.fixture(scope="session")
def axe():
    """``axe(page)``: fails with what axe-core finds."""
    return Axe(AXE.read_text("utf-8"))
