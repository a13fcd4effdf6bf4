"""An agent of the OpenAI Agents SDK; its model is a script that calls one tool and ends with what it then reads."""

import contextlib
import json

import agents
from agents.mcp import MCPServerStreamableHttp
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from orders import main

agents.set_tracing_disabled(True)


class OneCall(agents.Model):
    def __init__(self, name, arguments):
        self.name = name
        self.arguments = json.dumps(arguments)

    async def get_response(self, *_, **asked):
        last = asked["input"][-1]
        if last.get("type") == "function_call_output":
            read = last["output"]
            text = read if isinstance(read, str) else "".join(part["text"] for part in read)
            said = ResponseOutputText(type="output_text", text=text, annotations=[])
            item = ResponseOutputMessage(
                type="message", id="2", role="assistant", status="completed", content=[said]
            )
        else:
            item = ResponseFunctionToolCall(
                type="function_call", call_id="1", name=self.name, arguments=self.arguments
            )
        return agents.ModelResponse(output=[item], usage=agents.Usage(), response_id=None)

    def stream_response(self, *_, **__):
        raise NotImplementedError


class Agent:
    def __init__(self, server):
        self.server = server
        self.version = server.session.protocol_version

    async def tools(self):
        return [
            tool.model_dump(mode="json", by_alias=True, exclude_none=True)
            for tool in await self.server.list_tools()
        ]

    async def call(self, name, arguments, meta, on_progress):
        agent = agents.Agent(name="e2e", model=OneCall(name, arguments), mcp_servers=[self.server])
        run = await agents.Runner.run(agent, "call it", max_turns=2)
        return {"content": [{"type": "text", "text": run.final_output}]}


@contextlib.asynccontextmanager
async def connect(order, on_change):
    params = {"url": order["url"], "headers": {"Authorization": f"Bearer {order['token']}"}}
    patience = {"client_session_timeout_seconds": order["patience_s"]} if "patience_s" in order else {}
    async with MCPServerStreamableHttp(params, **patience) as server:
        yield Agent(server)


main(connect)
