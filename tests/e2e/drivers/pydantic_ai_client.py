"""An agent of Pydantic AI; its model is a script that calls one tool and ends with what it then reads.

With the word "tasks" it may use FastMCP's tasks, which it does as soon as their package can be imported.
"""

import contextlib
import sys

if "tasks" not in sys.argv:
    sys.modules["fastmcp_tasks"] = None  # As where it is not installed.

import pydantic_ai
from orders import main
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel


class Agent:
    def __init__(self, toolset):
        self.toolset = toolset
        self.version = toolset.client.protocol_version

    async def tools(self):
        return [
            tool.model_dump(mode="json", by_alias=True, exclude_none=True)
            for tool in await self.toolset.list_tools()
        ]

    async def call(self, name, arguments, meta, on_progress):
        read = []

        def one_call(messages, info):
            read.extend(part for part in messages[-1].parts if isinstance(part, ToolReturnPart))
            return ModelResponse(parts=[TextPart("done") if read else ToolCallPart(name, arguments)])

        await pydantic_ai.Agent(FunctionModel(one_call), toolsets=[self.toolset]).run("call it")
        [part] = read
        text = part.model_response_str(wrap_if_error=False)
        return {"content": [{"type": "text", "text": text}], "isError": part.outcome != "success"}


@contextlib.asynccontextmanager
async def connect(order, on_change):
    headers = {"Authorization": f"Bearer {order['token']}"}
    patience = {"read_timeout": order["patience_s"]} if "patience_s" in order else {}
    async with MCPToolset(order["url"], headers=headers, **patience) as toolset:
        yield Agent(toolset)


main(connect)
