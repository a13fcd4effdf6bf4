"""The gateway's own tool: an agent waits for a held call by its id, even if it has forgotten the words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.core.call import canonical_call
from gateway.downstream.hold_tasks import UPSTREAM
from gateway.downstream.hold_words import WAIT_TOOL
from gateway.errors import InvalidArguments

if TYPE_CHECKING:
    from typing import Any

    from durable.holds.hold import Hold
    from gateway.core.call import Call

NAME = WAIT_TOOL.partition("__")[2]
ID_CHARACTERS_MAX = 64

DEFINITION = msgspec.json.encode(
    {
        "name": WAIT_TOOL,
        "title": "Wait for an approval",
        "description": (
            "Waits for a tool call that this gateway holds until a person has decided about it, and returns "
            "the outcome of that call: its result, the denial with its reason, or that it still waits. Use "
            "it with the hold id of a NOT EXECUTED answer. It may be called again: nothing happens twice."
        ),
        "inputSchema": {
            "type": "object",
            "properties": {
                "hold": {"type": "string", "description": "the hold id of the NOT EXECUTED answer"}
            },
            "required": ["hold"],
            "additionalProperties": False,
        },
        # Not read-only: it runs a call that was approved for its caller.
        "annotations": {"readOnlyHint": False, "idempotentHint": True},
    }
)


def wait_call(arguments: dict[str, Any]) -> Call:
    """The call as it is passed around; it never leaves the gateway."""
    return canonical_call("tools/call", UPSTREAM, NAME, arguments)


def hold_id_of(call: Call) -> str:
    """Which hold is meant.

    Raises:
        InvalidArguments: the arguments are not exactly ``{"hold": "..."}``.
    """
    hold_id = call.arguments.get("hold")
    if call.arguments.keys() != {"hold"} or not isinstance(hold_id, str) or len(hold_id) > ID_CHARACTERS_MAX:
        raise InvalidArguments('the arguments must be {"hold": "<id of the held call>"}')
    return hold_id


def meant(hold: Hold, call: Call) -> bool:
    """Whether the outcome of a hold can be told as the result of this tool: it is a tool's."""
    return hold.method == call.method
