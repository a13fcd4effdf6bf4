"""Questions of an upstream to an agent's side, their answers, and a gateway that lets them be put."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from e2e_kit.front import Message
from e2e_kit.gateways import GatewayProcess
from e2e_kit.mirrors import Mirror, mirrors, tool

GRANTS = ["elicitation", "sampling", "roots"]
FORM = {
    "message": "How many?",
    "requestedSchema": {"type": "object", "properties": {"n": {"type": "integer", "x": 1.5}}},
    "x-unheard": [1.5],
}
ASKED = {
    "elicitation/create": FORM,
    "sampling/createMessage": {
        "messages": [{"role": "user", "content": {"type": "text", "text": "Hm?"}}],
        "maxTokens": 5,
    },
    "roots/list": {},
}
ANSWERS = {
    "elicitation/create": {"action": "accept", "content": {"n": 3}, "x-unheard": {"ü": 1.5}},
    "sampling/createMessage": {
        "role": "assistant",
        "content": {"type": "text", "text": "Mm."},
        "model": "m",
        "x": 1.5,
    },
    "roots/list": {"roots": [{"uri": "file:///srv", "x": 1.5}]},
}
DONE = '{"resultType":"complete","content":[{"type":"text","text":"done"}],"x":1.50}'


def answers(question: Message) -> Message:
    """The response to a question."""
    return {"result": ANSWERS[question["method"]]}


def required(*methods: str, state: str = "", params: Message | None = None) -> str:
    """An ``input_required`` result."""
    requests = {
        method.partition("/")[0]: {"method": method, "params": params or ASKED[method]} for method in methods
    }
    told = {"resultType": "input_required", "inputRequests": requests}
    return json.dumps(told | ({"requestState": state} if state else {}))


def asking(mirror: Mirror, name: str, *methods: str, params: Message | None = None) -> None:
    """Have a tool ask these, one after the other, and then be done."""
    if mirror.era == "legacy":
        steps = [{"ask": {"method": one, "params": params or ASKED[one]}} for one in methods]
        mirror.say(name, *steps, {"result": DONE})
        return
    states = ["", *(f"state {number}" for number in range(1, len(methods) + 1))]
    rounds = {
        states[number]: required(one, state=states[number + 1], params=params)
        for number, one in enumerate(methods)
    }
    mirror.say(name, {"rounds": {**rounds, states[-1]: DONE}})


def answered(mirror: Mirror, since: int) -> list[Any]:
    """What the server got, in order: of each answer the result or error."""
    if mirror.era == "legacy":
        responses = [one.message for one in mirror.heard(since=since) if not one.method]
        return [one.get("result", one.get("error")) for one in responses if "id" in one]
    rounds = [one.message["params"] for one in mirror.heard("tools/call", since=since)]
    return [value for params in rounds for value in params.get("inputResponses", {}).values()]


@contextlib.contextmanager
def asking_gateway(
    folder: Path, policy: str, *, hasty_s: float = 0
) -> Iterator[tuple[GatewayProcess, dict[str, Mirror]]]:
    """A gateway before each kind of mirror three times: granted everything, nothing (``bare-``), little time (``hasty-``)."""
    with mirrors(folder / "mirrors") as made:
        for name, mirror in made.items():
            mirror.offer(
                capabilities={"tools": {}, "prompts": {}, "resources": {}},
                tools=[tool(one) for one in ("run", "other", "reconsidered")],
                prompts=[{"name": "run"}],
                resources=[{"uri": f"{name}:/run", "name": "run"}],
            )
        upstreams = {name: mirror.settings(grants=GRANTS) for name, mirror in made.items()}
        more = {f"bare-{name}": mirror.settings() for name, mirror in made.items()}
        if hasty_s:
            more = {
                f"hasty-{name}": mirror.settings(grants=GRANTS, input_timeout_s=hasty_s)
                for name, mirror in made.items()
            }
        upstreams |= more
        with GatewayProcess(
            folder / "gateway", upstreams=upstreams, policy={"rounds.rego": policy}
        ) as gateway:
            gateway.offers(*(f"{name}__run" for name in upstreams))
            yield gateway, made
