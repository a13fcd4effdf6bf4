"""What can go wrong inside the gateway, as types. Matched by ``code``; the text is for people.

The edge decides what an agent sees (downstream/errors.py); nothing here knows HTTP or JSON-RPC.
"""

from __future__ import annotations


class GatewayError(Exception):
    """Something the gateway refuses or could not do. Never raised itself: every error says which."""

    code = "gateway_error"

    def __init__(self, reason: str, *, next_step: str = "") -> None:
        """Keep the reason (one sentence) and what the reader can do about it (one sentence or empty)."""
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step


class InternalFailure(GatewayError):
    """A fault of the gateway itself. If a call was under way, the log says how far it came."""

    code = "internal_failure"


class MalformedFrame(GatewayError):
    """The bytes are not one HTTP/1.1 request that every reader would delimit in the same way."""

    code = "malformed_frame"


class MalformedMessage(GatewayError):
    """The bytes are not one well-formed JSON text as we read it (RFC 8259, UTF-8, no duplicate keys)."""

    code = "malformed_message"


class InvalidRequest(GatewayError):
    """Well-formed JSON that is not one JSON-RPC request or notification of this protocol."""

    code = "invalid_request"


class InvalidParams(GatewayError):
    """The request's parameters have a shape, a size or a number that nothing behind us should see."""

    code = "invalid_params"


class RequestStateRefused(InvalidParams):
    """A request state, or what came with it, does not fit the request it is brought back with."""

    code = "request_state_refused"


class InvalidArguments(InvalidParams):
    """The arguments do not match the input schema the agent was served for this tool."""

    code = "invalid_arguments"


class UnknownTool(GatewayError):
    """No admitted tool of that name is offered here. Says the same for hidden and non-existing tools."""

    code = "unknown_tool"


class UnknownPrompt(GatewayError):
    """No admitted prompt of that name is offered here."""

    code = "unknown_prompt"


class UnknownResource(GatewayError):
    """No upstream on this route is known to have that resource, or more than one is."""

    code = "unknown_resource"


class DefinitionKeptBack(GatewayError):
    """It is listed, and offered to nobody before a person has acted. Never raised itself: the code says why.

    What an agent reads of it is ours: not a word of the definition.
    """

    code = "definition_kept_back"
    why = "no person has vouched for its definition"


class DefinitionNew(DefinitionKeptBack):
    """Nobody has said anything about it yet."""

    code = "definition_new"
    why = "no person has vouched for its definition yet"


class DefinitionDrifted(DefinitionKeptBack):
    """Its upstream lists another form than the one that was pinned."""

    code = "definition_drifted"
    why = "its server has changed its definition, and no person has vouched for the new one yet"


class DefinitionQuarantined(DefinitionKeptBack):
    """A scanner found something in it, and no person has said that it may be used all the same."""

    code = "definition_quarantined"
    why = "its definition looks unsafe, and no person has vouched for it"


class DefinitionUnpinned(DefinitionKeptBack):
    """A person took the pin back."""

    code = "definition_unpinned"
    why = "a person has taken it out of use"


class DefinitionTooLarge(DefinitionKeptBack):
    """It is larger than anything that is looked at."""

    code = "definition_too_large"
    why = "its definition is too large to be looked at"


class DefinitionUnkept(DefinitionKeptBack):
    """Its pin cannot be stored or read, so nobody can say whether somebody vouched for it."""

    code = "definition_unkept"
    why = "nobody can say at the moment whether a person has vouched for its definition"


class UnknownTask(GatewayError):
    """No such task of this principal; whether it exists for another is not said."""

    code = "unknown_task"


class CapabilityMissing(GatewayError):
    """The request needs a client capability that its sender did not declare."""

    code = "capability_missing"


class InputRefused(GatewayError):
    """What an upstream asks of the agent's side is not put to it, or what it is answered does not go on."""

    code = "input_refused"


class UnknownMethod(GatewayError):
    """Not a method of this protocol revision."""

    code = "unknown_method"


class UnsupportedMethod(GatewayError):
    """A method of the protocol that this gateway does not carry yet."""

    code = "unsupported_method"


class HeaderMismatch(GatewayError):
    """A routing header disagrees with the body (MCP 2026-07-28, streamable HTTP, standard headers)."""

    code = "header_mismatch"


class UnsupportedVersion(GatewayError):
    """The protocol revision asked for is not one we speak."""

    code = "unsupported_version"


class Unauthenticated(GatewayError):
    """No principal: the access token is missing, malformed, unknown or expired."""

    code = "unauthenticated"


class UnknownSession(GatewayError):
    """No such session for this principal; whether it exists for another is not said."""

    code = "unknown_session"


class Overloaded(GatewayError):
    """A bound on concurrent work is reached; nothing was sent upstream."""

    code = "overloaded"


class AgentOverLimit(Overloaded):
    """This one principal has reached its own bound; others are not affected."""

    code = "agent_over_limit"


class Draining(GatewayError):
    """The gateway is shutting down and takes no new calls."""

    code = "draining"


class AuditUnwritable(GatewayError):
    """The audit log cannot take the record, so the call is not made."""

    code = "audit_unavailable"


class PolicyUnanswered(GatewayError):
    """No usable answer from policy in time. Never an allow."""

    code = "policy_unavailable"


class ScanUnfinished(GatewayError):
    """What stands in the texts of a call could not be found out, so it is not made."""

    code = "scan_unfinished"


class CannotHold(GatewayError):
    """Policy wants a person to decide, and nobody can: the call is denied. ``code`` says why."""

    code = "cannot_be_held"


class NobodyApproves(CannotHold):
    """None of the reviewers there are could ever agree to it."""

    code = "no_approver"


class HoldLimit(CannotHold):
    """Too many calls of this agent, or of its tenant, wait for a person already."""

    code = "hold_limit"


class ApprovalsUnavailable(GatewayError):
    """The store of held calls does not answer, so a call that needs it is not made."""

    code = "approvals_unavailable"


class KeyReused(InvalidParams):
    """An idempotency key came with other arguments before."""

    code = "idempotency_key_reused"


class KeyUnsettled(GatewayError):
    """A call with this idempotency key is under way, or nobody knows what came of it."""

    code = "idempotency_key_unsettled"


class PayloadGone(GatewayError):
    """A stored value cannot be read any more: erased, lost or altered."""

    code = "payload_gone"


class UpstreamError(GatewayError):
    """An upstream did not give a usable answer.

    ``sent`` says what is known of the request: False = no byte of it left, so nothing can have
    happened; True = it may have been received and may have run.
    """

    code = "upstream_error"

    def __init__(self, reason: str, *, sent: bool, next_step: str = "") -> None:
        """Keep whether the request may have reached the upstream."""
        super().__init__(reason, next_step=next_step)
        self.sent = sent


class UpstreamUnreachable(UpstreamError):
    """No connection: refused, no such host, TLS failure, child process not running, circuit open."""

    code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    """No complete answer within the deadline."""

    code = "upstream_timeout"


class UpstreamGone(UpstreamError):
    """The connection or child process ended before the answer was complete."""

    code = "upstream_gone"


class UpstreamGarbled(UpstreamError):
    """An answer that is not a valid JSON-RPC answer to what was asked, or exceeds its bounds."""

    code = "upstream_garbled"


class UpstreamRefused(UpstreamError):
    """The upstream answered at HTTP level that it will not serve us (401, 403, 404, 3xx, 5xx)."""

    code = "upstream_refused"

    def __init__(self, reason: str, *, sent: bool, next_step: str = "", status: int = 0) -> None:
        """Keep the HTTP status, or 0 where the refusal was not HTTP's."""
        super().__init__(reason, sent=sent, next_step=next_step)
        self.status = status


class UpstreamNeedsInput(UpstreamError):
    """The upstream asked for something it may not ask for, or that the agent's side did not answer."""

    code = "upstream_needs_input"


class ConfigurationError(GatewayError):
    """The configuration cannot be used; text carries file, row and the next command."""

    code = "configuration"
