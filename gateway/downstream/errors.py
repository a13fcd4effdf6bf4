"""What an agent sees of an error: the only place that knows JSON-RPC numbers and HTTP status codes."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import msgspec

from gateway import errors
from gateway.errors import GatewayError

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
UNAUTHENTICATED = -32001
DENIED = -32003
UNKNOWN_SESSION = -32004
OVERLOADED = -32005

JSONRPC_CODE = MappingProxyType(
    {
        errors.InternalFailure.code: INTERNAL_ERROR,
        errors.MalformedFrame.code: INVALID_REQUEST,
        errors.MalformedMessage.code: PARSE_ERROR,
        errors.InvalidRequest.code: INVALID_REQUEST,
        errors.InvalidParams.code: INVALID_PARAMS,
        errors.InvalidArguments.code: INVALID_PARAMS,
        errors.RequestStateRefused.code: INVALID_PARAMS,
        errors.UnknownTool.code: INVALID_PARAMS,
        errors.UnknownPrompt.code: INVALID_PARAMS,
        errors.UnknownResource.code: INVALID_PARAMS,
        errors.UnknownTask.code: INVALID_PARAMS,
        errors.DefinitionKeptBack.code: DENIED,
        errors.DefinitionNew.code: DENIED,
        errors.DefinitionDrifted.code: DENIED,
        errors.DefinitionQuarantined.code: DENIED,
        errors.DefinitionUnpinned.code: DENIED,
        errors.DefinitionTooLarge.code: DENIED,
        errors.DefinitionUnkept.code: DENIED,
        errors.CapabilityMissing.code: MISSING_CAPABILITY,
        errors.InputRefused.code: DENIED,
        errors.UnknownMethod.code: METHOD_NOT_FOUND,
        errors.UnsupportedMethod.code: METHOD_NOT_FOUND,
        errors.HeaderMismatch.code: HEADER_MISMATCH,
        errors.UnsupportedVersion.code: UNSUPPORTED_VERSION,
        errors.Unauthenticated.code: UNAUTHENTICATED,
        errors.UnknownSession.code: UNKNOWN_SESSION,
        errors.Overloaded.code: OVERLOADED,
        errors.AgentOverLimit.code: OVERLOADED,
        errors.Draining.code: OVERLOADED,
        errors.AuditUnwritable.code: INTERNAL_ERROR,
        errors.ApprovalsUnavailable.code: INTERNAL_ERROR,
        errors.PayloadGone.code: INTERNAL_ERROR,
        errors.CannotHold.code: DENIED,
        errors.NobodyApproves.code: DENIED,
        errors.HoldLimit.code: DENIED,
        errors.KeyReused.code: INVALID_PARAMS,
        errors.KeyUnsettled.code: INTERNAL_ERROR,
        errors.PolicyUnanswered.code: INTERNAL_ERROR,
        errors.ScanUnfinished.code: INTERNAL_ERROR,
        errors.UpstreamError.code: INTERNAL_ERROR,
        errors.UpstreamUnreachable.code: INTERNAL_ERROR,
        errors.UpstreamTimeout.code: INTERNAL_ERROR,
        errors.UpstreamGone.code: INTERNAL_ERROR,
        errors.UpstreamGarbled.code: INTERNAL_ERROR,
        errors.UpstreamRefused.code: INTERNAL_ERROR,
        errors.UpstreamNeedsInput.code: INTERNAL_ERROR,
        errors.ConfigurationError.code: INTERNAL_ERROR,
        "wire_refused": INVALID_REQUEST,
    }
)

# MCP 2026-07-28, streamable HTTP: the status that goes with a JSON-RPC error code. Other codes
# travel as 200, because the exchange itself worked.
MODERN_STATUS = MappingProxyType(
    {
        PARSE_ERROR: 400,
        INVALID_REQUEST: 400,
        INVALID_PARAMS: 400,
        HEADER_MISMATCH: 400,
        MISSING_CAPABILITY: 400,
        UNSUPPORTED_VERSION: 400,
        METHOD_NOT_FOUND: 404,
        UNAUTHENTICATED: 401,
        UNKNOWN_SESSION: 404,
        OVERLOADED: 503,
    }
)

# Before 2026-07-28 only the transport's own refusals have a status; a method's error is a 200.
LEGACY_STATUS = MappingProxyType(
    {
        PARSE_ERROR: 400,
        INVALID_REQUEST: 400,
        HEADER_MISMATCH: 400,
        UNSUPPORTED_VERSION: 400,
        UNAUTHENTICATED: 401,
        UNKNOWN_SESSION: 404,
        OVERLOADED: 503,
    }
)

# These are about who is asking or about us, not about the message.
STATUS_BY_CODE = MappingProxyType(
    {
        errors.AgentOverLimit.code: 429,
        errors.Unauthenticated.code: 401,
        errors.InternalFailure.code: 500,
    }
)

_encode = msgspec.json.Encoder().encode


class WireRefusal(GatewayError):
    """Refused before it was a JSON-RPC message; carries its HTTP status."""

    code = "wire_refused"

    def __init__(self, status: int, reason: str, *, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Keep status and extra response headers."""
        super().__init__(reason)
        self.status = status
        self.headers = headers


def error_object(error: GatewayError, **extra: Any) -> dict[str, Any]:
    """JSON-RPC error member: number and sentence for programs, ``data.code`` to match on."""
    message = error.reason if not error.next_step else f"{error.reason}. Next: {error.next_step}"
    number = JSONRPC_CODE.get(error.code, INTERNAL_ERROR)
    if isinstance(error, errors.CapabilityMissing):
        message = f"the client has to declare the capability {error.reason}"
        extra = {"requiredCapabilities": _nested(error.reason), **extra}
    return {"code": number, "message": message, "data": {"code": error.code, **extra}}


def _nested(path: str) -> dict[str, Any]:
    """``extensions.a.b/c`` -> ``{"extensions": {"a.b/c": {}}}``: a client capabilities object."""
    first, _, rest = path.partition(".")
    return {first: {rest: {}} if rest else {}}


def error_body(request_id: str | int | None, error: dict[str, Any] | msgspec.Raw) -> bytes:
    """One JSON-RPC error response."""
    return _encode({"jsonrpc": "2.0", "id": request_id, "error": error})


def http_status(error: GatewayError, *, modern: bool) -> int:
    """The HTTP status that goes with an error."""
    if isinstance(error, WireRefusal):
        return error.status
    number = JSONRPC_CODE.get(error.code, INTERNAL_ERROR)
    table = MODERN_STATUS if modern else LEGACY_STATUS
    return STATUS_BY_CODE.get(error.code) or table.get(number, 200)


def extra_headers(error: GatewayError) -> tuple[tuple[bytes, bytes], ...]:
    """Response headers that an error brings along."""
    if isinstance(error, WireRefusal):
        return error.headers
    if isinstance(error, errors.Unauthenticated):
        return ((b"www-authenticate", b'Bearer realm="toolgate"'),)
    if isinstance(error, errors.Overloaded | errors.Draining):
        return ((b"retry-after", b"1"),)
    return ()
