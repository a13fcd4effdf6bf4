"""The prompts, and what completes their arguments."""

from __future__ import annotations

from conformance.asking_tools import entered, one_text
from conformance.catalogue import prompt
from conformance.exchange import Exchange
from conformance.media import PNG
from conformance.plain_tools import embedded
from mcp_types import ContentBlock, ImageContent, PromptMessage, TextContent

WORDS = ("tea", "tent", "test", "testing", "tested", "toast")


def said(content: str | ContentBlock) -> PromptMessage:
    """What the user says."""
    return PromptMessage(
        role="user", content=TextContent(text=content) if isinstance(content, str) else content
    )


def completions(begun: str) -> list[str]:
    """The words an argument can go on with."""
    return [word for word in WORDS if word.startswith(begun)]


@prompt("test_simple_prompt", "One line.")
async def simple(exchange: Exchange) -> list[PromptMessage]:
    return [said("This is a simple prompt for testing.")]


@prompt("test_prompt_with_arguments", "Says its two arguments.", "arg1", "arg2")
async def with_arguments(exchange: Exchange) -> list[PromptMessage]:
    first, second = exchange.arguments["arg1"], exchange.arguments["arg2"]
    return [said(f"Prompt with arguments: arg1='{first}', arg2='{second}'")]


@prompt("test_prompt_with_embedded_resource", "Shows a resource and asks about it.", "resourceUri")
async def with_resource(exchange: Exchange) -> list[PromptMessage]:
    uri = exchange.arguments["resourceUri"]
    shown = embedded(uri, "text/plain", "Embedded resource content for testing.")
    return [said(shown), said("Please process the embedded resource above.")]


@prompt("test_prompt_with_image", "Shows a picture and asks about it.")
async def with_image(exchange: Exchange) -> list[PromptMessage]:
    return [said(ImageContent(data=PNG, mime_type="image/png")), said("Please analyze the image above.")]


@prompt("test_input_required_result_prompt", "Has to ask the person what it is about.")
async def with_question(exchange: Exchange) -> list[PromptMessage]:
    question = one_text("What context should the prompt use?", "context")
    answers = await exchange.ask({"user_context": question})
    return [said(f"in the context of {entered(answers['user_context']).get('context', 'nothing')}")]
