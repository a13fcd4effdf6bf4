"""The snapshot: replaced whole, never seen half changed."""

from __future__ import annotations

import pytest

from gateway.catalogue.param_headers import read_param_headers
from gateway.catalogue.snapshot import CatalogueStore
from gateway.core.definition import RefusedDefinition
from gateway.errors import InvalidParams
from tests.fakes import definition


def store():
    found = CatalogueStore()
    found.replace("orders", (definition("put"), definition("get")), ())
    found.replace("notes", (definition("read", upstream="notes"),), ())
    return found


def names(offered):
    return [f"{tool.upstream}/{tool.name}" for tool in offered]


def test_nothing_is_offered_before_somebody_said_so():
    found = CatalogueStore()
    assert (found.offered(None), found.offered("orders"), found.find("orders", "get")) == ((), (), None)


def test_the_offer_is_in_one_order_whatever_the_listing():
    assert names(store().offered(None)) == ["notes/read", "orders/get", "orders/put"]
    assert names(store().offered("orders")) == ["orders/get", "orders/put"]


def test_a_tool_is_found_in_its_own_upstream_only():
    found = store()
    assert found.find("orders", "get").name == "get"
    assert found.find("notes", "get") is None
    assert found.find("other", "get") is None


def test_one_upstreams_change_leaves_the_others():
    found = store()
    found.replace("orders", (), (RefusedDefinition(upstream="orders", name="x", code="c", reason="r"),))
    assert names(found.offered(None)) == ["notes/read"]
    assert [item.name for item in found.refused()] == ["x"]


def test_a_reader_keeps_the_snapshot_it_took():
    found = store()
    taken = found.current
    found.replace("orders", (), ())
    assert "get" in taken.tools["orders"]
    assert found.current.version == taken.version + 1


def test_listeners_hear_after_the_change():
    found = store()
    heard = []
    found.on_change(lambda upstream: heard.append((upstream, len(found.offered(upstream)))))
    found.replace("orders", (), ())
    assert heard == [("orders", 0)]


def with_header(token, kind="string"):
    return {"inputSchema": {"type": "object", "properties": {"a": {"type": kind, "x-mcp-header": token}}}}


def test_a_mirrored_parameter_is_found():
    assert read_param_headers(with_header("Region")) == {("a",): "Region"}
    assert read_param_headers(definition().members) == {}


@pytest.mark.abuse(31)
@pytest.mark.parametrize(
    "members",
    [
        with_header(""),
        with_header("A B"),
        with_header("A\r\nB"),
        with_header(5),
        with_header("A", kind="object"),
        {"inputSchema": {"type": "object", "x-mcp-header": "A"}},
    ],
)
def test_a_mirrored_parameter_that_the_protocol_forbids_is_refused(members):
    with pytest.raises(InvalidParams):
        read_param_headers(members)


@pytest.mark.parametrize("schema", [None, [], ["x-mcp-header"], "x-mcp-header", {"allOf": "x-mcp-header"}])
def test_a_schema_that_is_none_has_no_mirrored_parameters(schema):
    assert read_param_headers({"inputSchema": schema}) == {}
