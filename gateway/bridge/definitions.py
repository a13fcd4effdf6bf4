"""Definitions as an agent is served them: the admitted bytes, under the route's name, in the agent's era.

Only what an older revision cannot carry is changed, so everything else keeps its members and digits.
"""

from __future__ import annotations

import msgspec

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode

# The schema true and the schema false, as objects: the session era's SDKs read nothing else in properties.
_AS_OBJECT = {b"true": msgspec.Raw(b"{}"), b"false": msgspec.Raw(b'{"not":{}}')}


def served(raw: bytes, *, name: str | None, modern: bool) -> bytes:
    """One definition for a list.

    Args:
        raw: the wire object as admitted.
        name: the name on the aggregate route, or None to keep its own.
        modern: whether the agent speaks 2026-07-28.
    """
    older = not modern and (b'"outputSchema"' in raw or b'"inputSchema"' in raw)
    if name is None and not older:
        return raw
    members = _decode(raw)
    changed = False
    if name is not None:
        members["name"] = msgspec.Raw(_encode(name))
        changed = True
    if older:
        changed = _for_older_eras(members) or changed
    return _encode(members) if changed else raw


def needs_task(raw: bytes) -> bool:
    """Whether the tool can only be called as a task of 2025-11-25, which the newer era does not have."""
    if b'"taskSupport"' not in raw:
        return False
    try:
        execution = msgspec.json.decode(raw, type=_Executed).execution
    except msgspec.DecodeError:
        return False
    return execution is not None and execution.taskSupport == "required"


class _Execution(msgspec.Struct):
    taskSupport: str = ""  # noqa: N815 - the protocol's name


class _Executed(msgspec.Struct):
    execution: _Execution | None = None


def _for_older_eras(members: dict[str, msgspec.Raw]) -> bool:
    """Make a tool readable before 2026-07-28; True if something had to change."""
    changed = False
    output = members.get("outputSchema")
    if output is not None and not _is_object_schema(bytes(output)):
        # There, structured content is an object, and so is what its schema describes.
        del members["outputSchema"]
        changed = True
    for name in ("inputSchema", "outputSchema"):
        schema = members.get(name)
        if schema is not None and (b"true" in bytes(schema) or b"false" in bytes(schema)):
            repaired = _object_properties(bytes(schema))
            if repaired is not None:
                members[name] = msgspec.Raw(repaired)
                changed = True
    return changed


def _is_object_schema(schema: bytes) -> bool:
    if schema.lstrip()[:1] != b"{":
        return False
    return bytes(_decode(schema).get("type", b"")).strip() == b'"object"'


def _object_properties(schema: bytes) -> bytes | None:
    """The schema with boolean property schemas written as objects; None if there are none."""
    if schema.lstrip()[:1] != b"{":
        return None
    members = _decode(schema)
    properties = members.get("properties")
    if properties is None or bytes(properties).lstrip()[:1] != b"{":
        return None
    each = _decode(bytes(properties))
    written = {name: _AS_OBJECT.get(bytes(value).strip(), value) for name, value in each.items()}
    if all(written[name] is value for name, value in each.items()):
        return None
    return _encode(members | {"properties": msgspec.Raw(_encode(written))})
