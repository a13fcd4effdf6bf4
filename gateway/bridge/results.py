"""Results from one era to the other. Unknown members and number literals pass byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from gateway.core.methods import Method

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_COMPLETE = msgspec.Raw(b'"complete"')
_COMPLETE_FIRST = b'{"resultType":"complete"'
"""Where most servers put it; nothing else need be read then."""
_PRIVATE = msgspec.Raw(b'"private"')
_AT_ONCE_STALE = msgspec.Raw(b"0")
OURS = "dev.toolgate/"
_OURS_BYTES = b"toolgate"
"""In every spelling of it without ``\\u``: JSON may write the slash behind it as two characters."""
RELATED_TASK = "io.modelcontextprotocol/related-task"
_CACHE_MEMBERS = ("ttlMs", "cacheScope")


def agent_result(row: Method, result: bytes, *, from_modern: bool, to_modern: bool) -> bytes:
    """The result of an upstream as the agent's era has it.

    Args:
        row: the method that was asked.
        result: the result object as received.
        from_modern: the upstream speaks 2026-07-28.
        to_modern: the agent does.
    """
    result = _without_claims(result)
    if to_modern:
        return _to_modern(row, result, from_modern=from_modern)
    return _to_legacy(row, result) if from_modern else result


def _without_claims(result: bytes) -> bytes:
    """Only the gateway speaks for the gateway: what a server puts under its names in ``_meta`` goes."""
    if _OURS_BYTES not in result and b"\\u" not in result:
        return result
    members = _decode(result)
    about = bytes(members.get("_meta", b"")).strip()
    if about[:1] != b"{":
        return result
    meta = _decode(about)
    kept = {name: value for name, value in meta.items() if not name.startswith(OURS)}
    if len(kept) == len(meta):
        return result
    return _encode(members | {"_meta": msgspec.Raw(_encode(kept))})


def _to_modern(row: Method, result: bytes, *, from_modern: bool) -> bytes:
    if from_modern and not row.cached and result.startswith(_COMPLETE_FIRST):
        return result
    members = _decode(result)
    if from_modern and "resultType" in members and not row.cached:
        return result
    if not from_modern or "resultType" not in members:
        # Before 2026-07-28 a member of that name means nothing, and must not begin to mean something.
        members.pop("resultType", None)
        members = {"resultType": _COMPLETE, **members}
    if row.cached and bytes(members["resultType"]) == bytes(_COMPLETE):
        members.setdefault("ttlMs", _AT_ONCE_STALE)
        # Whoever is next to ask for it may not be allowed to: never shared, whatever the upstream says.
        members["cacheScope"] = _PRIVATE
    return _encode(members)


def _to_legacy(row: Method, result: bytes) -> bytes:
    if b'"resultType"' not in result and b'"structuredContent"' not in result and not row.cached:
        return result
    members = _decode(result)
    members.pop("resultType", None)
    if row.cached:
        for name in _CACHE_MEMBERS:
            members.pop(name, None)
    structured = members.get("structuredContent")
    if row.name == "tools/call" and structured is not None and bytes(structured).lstrip()[:1] != b"{":
        # Before 2026-07-28 it is an object or absent. Servers repeat it as text; one that did not is helped.
        members.pop("structuredContent")
        if bytes(members.get("content", b"[]")).replace(b" ", b"") == b"[]":
            members["content"] = msgspec.Raw(_encode([_text(bytes(structured))]))
    return _encode(members)


def _text(value: bytes) -> dict[str, Any]:
    return {"type": "text", "text": value.decode()}


def renamed_task(result: bytes, task_id: str) -> bytes:
    """The same result with another task id: at the top (2026 extension) or in ``task`` (2025-11-25)."""
    members = _decode(result)
    fresh = msgspec.Raw(_encode(task_id))
    if "taskId" in members:
        members["taskId"] = fresh
    if "task" in members and bytes(members["task"]).lstrip()[:1] == b"{":
        inner = _decode(bytes(members["task"]))
        members["task"] = msgspec.Raw(_encode(inner | {"taskId": fresh}))
    if RELATED_TASK.encode() in bytes(members.get("_meta", b"")):
        meta = _decode(bytes(members["_meta"]))
        related = msgspec.Raw(_encode({"taskId": task_id}))
        members["_meta"] = msgspec.Raw(_encode(meta | {RELATED_TASK: related}))
    return _encode(members)


def task_id_of(result: bytes) -> str | None:
    """The task id in a result, wherever that era has it; None if there is none."""
    try:
        found = msgspec.json.decode(result, type=_TaskResult)
    except msgspec.DecodeError:
        return None
    if found.taskId is not None:
        return found.taskId
    return found.task.taskId if found.task is not None else None


class _Task(msgspec.Struct):
    taskId: str  # noqa: N815 - the protocol's name


class _TaskResult(msgspec.Struct):
    taskId: str | None = None  # noqa: N815 - the protocol's name
    task: _Task | None = None
