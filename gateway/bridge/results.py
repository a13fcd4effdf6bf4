"""Result members that only one era has. Unknown members and number literals pass byte for byte."""

from __future__ import annotations

import msgspec

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_COMPLETE = msgspec.Raw(b'"complete"')


def modern_result(result: bytes) -> bytes:
    """Give a result the ``resultType`` that 2026-07-28 requires; absent means complete there."""
    if b'"resultType"' in result:
        members = _decode(result)
        if "resultType" in members:
            return result
    else:
        members = _decode(result)
    return _encode({"resultType": _COMPLETE, **members})


def legacy_result(result: bytes) -> bytes:
    """Take away what revisions before 2026-07-28 do not know in a complete result."""
    if b'"resultType"' not in result:
        return result
    members = _decode(result)
    members.pop("resultType", None)
    return _encode(members)
