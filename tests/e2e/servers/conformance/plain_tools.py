"""Tools that answer by themselves: each kind of content, an error, log messages, progress, odd schemas."""

from __future__ import annotations

import asyncio

from conformance.catalogue import tool
from conformance.exchange import Exchange, Failed
from conformance.media import PNG, WAV
from mcp_types import (
    AudioContent,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

STEP_S = 0.05
RECONNECT_S = 0.15


def embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    """A text resource as a block of content."""
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


@tool("test_simple_text", "One line of text.")
async def simple_text(exchange: Exchange) -> str:
    return "This is a simple text response for testing."


@tool("test_image_content", "A picture of one pixel.")
async def image(exchange: Exchange) -> list[ContentBlock]:
    return [ImageContent(data=PNG, mime_type="image/png")]


@tool("test_audio_content", "A moment of silence.")
async def audio(exchange: Exchange) -> list[ContentBlock]:
    return [AudioContent(data=WAV, mime_type="audio/wav")]


@tool("test_embedded_resource", "A resource inside the answer.")
async def resource(exchange: Exchange) -> list[ContentBlock]:
    return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


@tool("test_multiple_content_types", "Text, a picture and a resource in one answer.")
async def mixed(exchange: Exchange) -> list[ContentBlock]:
    return [
        TextContent(text="Multiple content types test:"),
        ImageContent(data=PNG, mime_type="image/png"),
        embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ]


@tool("test_error_handling", "Always fails, as a tool fails.")
async def error(exchange: Exchange) -> str:
    raise Failed("This tool intentionally returns an error for testing")


@tool("test_tool_with_logging", "Says three times in the log how far it is.")
async def logging(exchange: Exchange) -> str:
    await exchange.log("Tool execution started")
    await asyncio.sleep(STEP_S)
    await exchange.log("Tool processing data")
    await asyncio.sleep(STEP_S)
    await exchange.log("Tool execution completed")
    return "three messages were for the log"


@tool("test_logging_tool", "Has something for the log, which only those get who asked for it.")
async def quiet_logging(exchange: Exchange) -> str:
    await exchange.log("a message for whoever wants such", "warning")
    return "one message was for the log"


@tool("test_tool_with_progress", "Reports its progress at the start, halfway and at the end.")
async def progress(exchange: Exchange) -> str:
    await exchange.progress(0, 100)
    await asyncio.sleep(STEP_S)
    await exchange.progress(50, 100)
    await asyncio.sleep(STEP_S)
    await exchange.progress(100, 100)
    return "all the way"


@tool("test_reconnection", "Hangs up in the middle; the answer waits for whoever comes back for it.")
async def reconnection(exchange: Exchange) -> str:
    hang_up = exchange.ctx.close_sse_stream
    # Only a legacy stream can be taken up again; in the modern era hanging up would withdraw the call.
    if hang_up is not None:
        await hang_up()
        await asyncio.sleep(RECONNECT_S)
    return "said after the break"


@tool(
    "test_region_header",
    "Has a parameter that travels in a header too.",
    {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
)
async def region(exchange: Exchange) -> str:
    return f"region: {exchange.arguments.get('region', 'none')}"


@tool(
    "json_schema_2020_12_tool",
    "Its schema uses what JSON Schema 2020-12 has and few others do.",
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    },
)
async def wide_schema(exchange: Exchange) -> str:
    return f"reachable by {exchange.arguments.get('contactMethod', 'either')}"
