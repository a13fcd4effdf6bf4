"""The OpenAPI 3.1 document, made from the table of operations and the models: it cannot say anything else."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from gateway.people.errors import STATUS
from gateway.people.guards import JSON
from gateway.people.models import ErrorAnswer
from gateway.people.table import HTML, Access

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode

    from gateway.people.table import Operation

_REF = "#/components/schemas/"
_PARAMETER = re.compile(r"\{([a-z]+)\}")
_SCHEMES = {
    "reviewer_token": {"type": "http", "scheme": "bearer", "description": "a reviewer's token (tgr_...)"},
    "login": {
        "type": "apiKey",
        "in": "cookie",
        "name": "toolgate_session",
        "description": "of a login link; over https the name is __Host-toolgate_session. "
        "A POST has to come from a page of this port.",
    },
}


def document(operations: Iterable[Operation], *, version: str) -> dict[str, Any]:
    """Everything that can be asked of the people port."""
    operations = tuple(one for one in operations if one.in_document)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.verb.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "toolgate: the people port",
            "version": version,
            "description": "Held calls: list them, look at them, decide them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(paths),
        "components": {"schemas": _schemas(operations), "securitySchemes": _SCHEMES},
    }


def _schemas(operations: tuple[Operation, ...]) -> dict[str, Any]:
    models: dict[type[BaseModel], JsonSchemaMode] = {ErrorAnswer: "serialization"}
    for operation in operations:
        if operation.body is not None:
            models[operation.body] = "validation"
        if operation.answers is not None:
            models[operation.answers] = "serialization"
    _, found = models_json_schema(
        sorted(models.items(), key=lambda pair: pair[0].__name__), ref_template=_REF + "{model}"
    )
    return dict(found["$defs"])


def _operation(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*_in_path(operation), *_in_query(operation)],
        "responses": _responses(operation),
        "security": _security(operation.access),
    }
    if operation.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {operation.takes: {"schema": _ref(operation.body)}},
        }
    return found


def _in_path(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(operation.path)
    ]


def _in_query(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    found = []
    for name, schema in operation.query.model_json_schema()["properties"].items():
        description = schema.pop("description", "")
        found.append(
            {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
        )
    return found


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(status): _success(operation) for status in (operation.status, *operation.also)
    }
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in sorted(operation.codes):
        by_status[STATUS[code]].append(code)
    content: dict[str, Any] = {JSON: {"schema": _ref(ErrorAnswer)}}
    if operation.gives == HTML:
        content[HTML] = {"schema": {"type": "string"}}
    for status in sorted(by_status):
        responses[str(status)] = {
            "description": "Refused: " + ", ".join(f"`{code}`" for code in by_status[status]),
            "content": content,
        }
    return responses


def _success(operation: Operation) -> dict[str, Any]:
    if operation.status == 303:
        return {"description": "On to the page that says who is logged in"}
    schema = {"type": "string"} if operation.answers is None else _ref(operation.answers)
    if operation.answers is None and operation.gives == JSON:
        schema = {"type": "object"}
    return {"description": operation.summary, "content": {operation.gives: {"schema": schema}}}


def _security(access: Access) -> list[dict[str, list[str]]]:
    if access is Access.ANYONE:
        return []
    bearer: list[dict[str, list[str]]] = [{"reviewer_token": []}]
    return bearer if access is Access.BEARER else [*bearer, {"login": []}]


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF + model.__name__}
