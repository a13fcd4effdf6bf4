"""The OpenAPI document: every route is in it, and it means something."""

from __future__ import annotations

import json
import re

import jsonschema_rs
import pytest

from gateway.people import call_models, definition_models, models, reviewing_models, sheet_models
from gateway.people.errors import STATUS
from gateway.people.models import Answer, Asked, ErrorAnswer
from gateway.people.table import ASSET, HTML
from tests.contract.people.port import LEA

METHODS = {"get", "post"}


def every(value, key):
    """All values of a member, wherever it is."""
    if isinstance(value, dict):
        for name, inside in value.items():
            if name == key:
                yield inside
            yield from every(inside, key)
    elif isinstance(value, list):
        for inside in value:
            yield from every(inside, key)


async def test_every_route_is_in_it_and_nothing_else(port):
    routes = {(route.path, verb) for route in port.app._router.routes for verb in route.endpoint._operations}
    documented = {
        (path, verb.upper()) for path, operations in port.document["paths"].items() for verb in operations
    }
    pages = {(one.path, one.verb) for one in port.app.operations if not one.in_document}
    assert routes == documented | pages
    assert not documented & pages
    # Only what a browser alone can use is left out: a program finds everything in the document.
    assert all(one.gives in {HTML, ASSET} for one in port.app.operations if not one.in_document)
    assert pages > {("/", "GET"), ("/holds/{hold}", "GET"), ("/holds/{hold}/decide", "POST")}
    assert len(routes) == 52


async def test_it_is_an_openapi_3_1_document(port):
    document = port.document
    assert document["openapi"] == "3.1.0"
    assert document["info"].keys() >= {"title", "version"}
    names = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
    ]
    assert len(set(names)) == len(names)
    for path, operations in document["paths"].items():
        assert operations.keys() <= METHODS
        for verb, operation in operations.items():
            in_path = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert in_path == set(re.findall(r"\{(\w+)\}", path))
            assert all(one["required"] for one in operation["parameters"] if one["in"] == "path")
            assert operation["responses"]
            assert all(one["description"] for one in operation["responses"].values())
            assert all(re.fullmatch(r"[1-5]\d\d", status) for status in operation["responses"])
            assert verb == "post" or "requestBody" not in operation
            for scheme in operation["security"]:
                assert scheme.keys() <= document["components"]["securitySchemes"].keys()


async def test_every_reference_leads_somewhere_and_every_schema_is_one(port):
    schemas = port.document["components"]["schemas"]
    references = set(every(port.document, "$ref"))
    assert references
    assert {reference.removeprefix("#/components/schemas/") for reference in references} <= schemas.keys()
    for name, schema in schemas.items():
        assert jsonschema_rs.meta.is_valid(
            schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        ), name
    for operations in port.document["paths"].values():
        for operation in operations.values():
            for one in operation["parameters"]:
                assert jsonschema_rs.meta.is_valid(one["schema"])


async def test_every_model_that_goes_over_the_wire_is_described(port):
    schemas = port.document["components"]["schemas"]
    bases = {Asked, Answer}
    found = {
        one.__name__
        for one in (
            vars(models)
            | vars(sheet_models)
            | vars(definition_models)
            | vars(reviewing_models)
            | vars(call_models)
        ).values()
        if isinstance(one, type) and issubclass(one, Asked | Answer) and one not in bases
    }
    queries = {one for one in found if one.endswith("Query")}
    assert found - queries == schemas.keys() - {"Status", "State"}
    for name, schema in schemas.items():
        assert schema.get("description") or name == "Status", name
    assert "redacted" in schemas["HoldRow"]["description"]
    assert schemas["HoldRow"]["properties"]["expires_in_s"]["description"]


async def test_requests_refuse_what_they_do_not_know_in_the_document_too(port):
    schemas = port.document["components"]["schemas"]
    for name in (
        "DecisionRequest",
        "EditRequest",
        "ResolveRequest",
        "RevokeRequest",
        "EraseRequest",
        "Empty",
    ):
        assert schemas[name]["additionalProperties"] is False
    schema = {"$ref": "#/components/schemas/DecisionRequest", "components": {"schemas": schemas}}
    validator = jsonschema_rs.Draft202012Validator(schema)
    good = {"verdict": "approve", "seen": "0" * 64}
    assert validator.is_valid(good)
    assert not validator.is_valid(good | {"force": True})
    assert not validator.is_valid(good | {"verdict": "maybe"})


async def test_refusals_are_told_by_their_codes(port):
    told = port.document["paths"]["/api/v1/holds/{hold}/decision"]["post"]["responses"]
    assert "`hold_seen_stale`" in told["409"]["description"]
    assert "`agent_token`" in told["403"]["description"]
    written = json.dumps(port.document["paths"])
    own = {code for code in STATUS if code in written}
    assert {
        "unauthenticated",
        "agent_token",
        "unknown_hold",
        "hold_claimed",
        "login_refused",
        "draining",
    } <= own


def test_an_error_has_one_shape():
    with pytest.raises(ValueError, match="error"):
        ErrorAnswer.model_validate({"code": "x"})


async def test_the_document_needs_no_credential_and_is_the_same_for_all(port):
    assert (await port.ask("GET", "/api/v1/openapi.json", who=LEA)).json == port.document
