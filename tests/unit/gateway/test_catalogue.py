"""The snapshot: replaced whole, never seen half changed."""

from __future__ import annotations

import pytest

from gateway.catalogue.param_headers import read_param_headers
from gateway.catalogue.snapshot import CatalogueStore
from gateway.core.definition import Kind, RefusedDefinition
from gateway.core.distinct import refused
from gateway.errors import DefinitionDrifted, DefinitionNew, InvalidParams
from gateway.ports import ServerFacts
from tests.fakes import defined, definition

SERVER = ServerFacts(era="modern", capabilities={"tools": {}})


def store():
    found = CatalogueStore()
    found.replace("orders", (definition("put"), definition("get")), (), SERVER)
    found.replace("notes", (definition("read", upstream="notes"),), (), SERVER)
    return found


def names(offered):
    return [f"{tool.upstream}/{tool.name}" for tool in offered]


def test_nothing_is_offered_before_somebody_said_so():
    found = CatalogueStore()
    assert (
        found.offered(Kind.TOOL, None),
        found.offered(Kind.TOOL, "orders"),
        found.find(Kind.TOOL, "orders", "get"),
    ) == ((), (), None)


def test_the_offer_is_in_one_order_whatever_the_listing():
    assert names(store().offered(Kind.TOOL, None)) == ["notes/read", "orders/get", "orders/put"]
    assert names(store().offered(Kind.TOOL, "orders")) == ["orders/get", "orders/put"]


def test_a_tool_is_found_in_its_own_upstream_only():
    found = store()
    assert found.find(Kind.TOOL, "orders", "get").name == "get"
    assert found.find(Kind.TOOL, "notes", "get") is None
    assert found.find(Kind.TOOL, "other", "get") is None


def test_one_upstreams_change_leaves_the_others():
    found = store()
    refused = RefusedDefinition(upstream="orders", name="x", code="c", reason="r")
    found.replace("orders", (), (refused,), SERVER)
    assert names(found.offered(Kind.TOOL, None)) == ["notes/read"]
    assert [item.name for item in found.refused()] == ["x"]


def test_a_reader_keeps_the_snapshot_it_took():
    found = store()
    taken = found.current
    found.replace("orders", (), (), SERVER)
    assert "get" in taken.offers["orders"].definitions[Kind.TOOL]
    assert found.current.version == taken.version + 1


def test_listeners_hear_after_the_change():
    found = store()
    heard = []
    found.on_change(lambda upstream, kind: heard.append((upstream, kind, len(found.offered(kind, upstream)))))
    found.replace("orders", (), (), SERVER)
    assert heard == [("orders", Kind.TOOL, 0)]


def test_an_announced_change_is_told_although_the_list_is_the_same():
    found = store()
    heard = []
    found.on_change(lambda upstream, kind: heard.append((upstream, kind)))
    found.replace("orders", (definition("put"), definition("get")), (), SERVER)
    assert heard == []
    found.touched("orders", frozenset({Kind.PROMPT}))
    assert heard == [("orders", Kind.PROMPT)]


def test_kinds_do_not_mix():
    found = CatalogueStore()
    found.replace("orders", (definition("put"), defined({"name": "put"}, Kind.PROMPT)), (), SERVER)
    assert found.find(Kind.TOOL, "orders", "put").kind is Kind.TOOL
    assert found.find(Kind.PROMPT, "orders", "put").kind is Kind.PROMPT
    assert found.find(Kind.RESOURCE, "orders", "put") is None


def test_a_resource_is_the_listed_one_or_what_a_template_stands_for():
    listed = defined({"uri": "file:///a/b"}, Kind.RESOURCE)
    template = defined({"uriTemplate": "file:///a/{name}", "name": "any"}, Kind.TEMPLATE)
    found = CatalogueStore()
    found.replace("orders", (listed, template), (), SERVER)
    assert found.resource("orders", "file:///a/b") is listed
    assert found.resource("orders", "file:///a/c") is template
    assert found.resource("orders", "file:///c") is None
    assert found.resource("notes", "file:///a/b") is None
    assert found.server("orders") == SERVER


@pytest.mark.abuse(39)
def test_a_resource_is_kept_back_with_its_template_unless_it_is_offered_itself():
    listed = defined({"uri": "file:///a/b"}, Kind.RESOURCE)
    template = defined({"uriTemplate": "file:///a/{name}", "name": "any"}, Kind.TEMPLATE)
    found = CatalogueStore()
    found.replace("orders", (listed,), (refused(template, "definition_new", "r"),), SERVER)
    assert found.resource("orders", "file:///a/b") is listed
    assert found.kept_back(Kind.RESOURCE, "orders", "file:///a/b") is None
    with pytest.raises(DefinitionNew):
        found.resource("orders", "file:///a/c")
    assert found.resource("orders", "file:///c") is None
    # A template that is offered does not stand for what is listed by itself and kept back.
    found.replace("orders", (template,), (refused(listed, "definition_drifted", "r"),), SERVER)
    with pytest.raises(DefinitionDrifted):
        found.resource("orders", "file:///a/b")
    assert found.resource("orders", "file:///a/c") is template
    # What is ill-formed, or can be mixed up, is as if it were not listed.
    found.replace("orders", (), (refused(definition(), "definition_look_alike", "r"),), SERVER)
    assert found.kept_back(Kind.TOOL, "orders", definition().name) is None


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
