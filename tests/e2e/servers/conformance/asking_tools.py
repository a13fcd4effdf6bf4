"""Tools that have to ask the client something first: the person, the model, or which folders there are."""

from __future__ import annotations

import json
from typing import Any

from conformance.catalogue import takes, tool
from conformance.exchange import Exchange
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)


def form(message: str, *, required: tuple[str, ...] = (), **fields: dict[str, Any]) -> ElicitRequest:
    """A question to the person."""
    schema = {"type": "object", "properties": fields, "required": list(required)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def one_text(message: str, name: str) -> ElicitRequest:
    """A question to the person with one text as its answer."""
    return form(message, required=(name,), **{name: {"type": "string"}})


def thought(text: str, tokens_max: int) -> CreateMessageRequest:
    """A question to the client's model."""
    message = SamplingMessage(role="user", content=TextContent(text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=tokens_max))


def entered(answer: ElicitResult) -> dict[str, Any]:
    """What the person filled in; nothing unless they accepted."""
    return dict(answer.content or {}) if answer.action == "accept" else {}


def shown(answer: ElicitResult) -> str:
    """An answer of the person, as text."""
    return f"action={answer.action}, content={json.dumps(entered(answer))}"


def spoken(answer: CreateMessageResult) -> str:
    """An answer of the model, as text."""
    return answer.content.text if isinstance(answer.content, TextContent) else answer.content.type


# ------------------------------------------------------- defined for the era with requests from the server


@tool("test_sampling", "Asks the client's model.", takes(prompt={"type": "string"}))
async def sampling(exchange: Exchange) -> str:
    answers = await exchange.ask({"sample": thought(exchange.arguments["prompt"], 100)})
    return f"LLM response: {spoken(answers['sample'])}"


@tool("test_elicitation", "Asks the person for a name and an address.", takes(message={"type": "string"}))
async def elicitation(exchange: Exchange) -> str:
    question = form(
        exchange.arguments["message"],
        required=("username", "email"),
        username={"type": "string", "description": "how to call you"},
        email={"type": "string", "description": "where to write to"},
    )
    return f"User response: {shown((await exchange.ask({'who': question}))['who'])}"


@tool("test_elicitation_sep1034_defaults", "Asks the person, with a default for every kind of field.")
async def defaults(exchange: Exchange) -> str:
    question = form(
        "is this right?",
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        verified={"type": "boolean", "default": True},
    )
    return f"Elicitation completed: {shown((await exchange.ask({'person': question}))['person'])}"


def _choices(**titles: str) -> list[dict[str, str]]:
    return [{"const": value, "title": title} for value, title in titles.items()]


@tool("test_elicitation_sep1330_enums", "Asks the person to choose, in each way a choice can be written.")
async def enums(exchange: Exchange) -> str:
    plain = ["option1", "option2", "option3"]
    titled = _choices(value1="the first", value2="the second", value3="the third")
    question = form(
        "choose",
        untitledSingle={"type": "string", "enum": plain},
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum={"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["number one", "number two"]},
        untitledMulti={"type": "array", "items": {"type": "string", "enum": plain}},
        titledMulti={"type": "array", "items": {"anyOf": titled}},
    )
    return f"Elicitation completed: {shown((await exchange.ask({'choices': question}))['choices'])}"


# --------------------------------------------------------------------------- defined for the era with rounds

WHO = one_text("What is your name?", "name")
SURE = form("Please confirm", required=("ok",), ok={"type": "boolean"})


@tool("test_missing_capability", "Cannot be done for a client without sampling.")
async def missing_capability(exchange: Exchange) -> str:
    exchange.require("sampling")
    return "this client could be asked"


@tool("test_streaming_elicitation", "Asks the person, and must not do it by a request of its own.")
async def streaming(exchange: Exchange) -> str:
    return f"User response: {shown((await exchange.ask({'who': WHO}))['who'])}"


@tool("test_input_required_result_elicitation", "Greets the person by name.")
async def greeting(exchange: Exchange) -> str:
    answers = await exchange.ask({"user_name": WHO})
    return f"Hello, {entered(answers['user_name']).get('name', 'nobody')}!"


@tool("test_input_required_result_sampling", "Lets the model answer a question of geography.")
async def capital(exchange: Exchange) -> str:
    answers = await exchange.ask({"capital_question": thought("What is the capital of France?", 100)})
    return f"the model says: {spoken(answers['capital_question'])}"


@tool("test_input_required_result_list_roots", "Names the folders the client lets it see.")
async def folders(exchange: Exchange) -> str:
    answers = await exchange.ask({"client_roots": ListRootsRequest()})
    return "roots: " + ", ".join(str(root.uri) for root in answers["client_roots"].roots)


@tool("test_input_required_result_request_state", "Wants its state back with the answer.")
async def with_state(exchange: Exchange) -> str:
    answers = await exchange.ask({"confirm": SURE}, state={"asked": "for a confirmation"})
    return f"state-ok, {shown(answers['confirm'])}"


@tool("test_input_required_result_tampered_state", "Wants exactly its own state back.")
async def with_sealed_state(exchange: Exchange) -> str:
    # The seal is put on and proved by the boundary in conformance_server.py; a forged one does not come here.
    answers = await exchange.ask({"confirm": SURE}, state={"sealed": True})
    return f"state-ok, {shown(answers['confirm'])}"


@tool("test_input_required_result_multiple_inputs", "Asks the person, the model and for the folders at once.")
async def three_questions(exchange: Exchange) -> str:
    questions: dict[str, InputRequest] = {
        "user_name": WHO,
        "greeting": thought("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    answers = await exchange.ask(questions, state={"asked": 3})
    roots = len(answers["client_roots"].roots)
    name = entered(answers["user_name"]).get("name", "nobody")
    return f"{spoken(answers['greeting'])} ({name}, {roots} roots)"


@tool("test_input_required_result_multi_round", "Asks a second thing once it knows the first.")
async def two_rounds(exchange: Exchange) -> str:
    name = exchange.state.get("name")
    if name is None:
        first = one_text("Step 1: What is your name?", "name")
        answers = await exchange.ask({"step1": first}, state={"round": 1})
        name = entered(answers["step1"]).get("name", "nobody")
    second = one_text("Step 2: What is your favorite color?", "color")
    answers = await exchange.ask({"step2": second}, state={"name": name})
    return f"{name} likes {entered(answers['step2']).get('color', 'no color')}"


@tool("test_input_required_result_capabilities", "Asks only what this client is able to answer.")
async def what_it_can(exchange: Exchange) -> str:
    all_questions: dict[str, tuple[str, InputRequest]] = {
        "thought": ("sampling", thought("say something", 50)),
        "who": ("elicitation", WHO),
        "folders": ("roots", ListRootsRequest()),
    }
    questions = {key: one for key, (capability, one) in all_questions.items() if exchange.can(capability)}
    if not questions:
        return "there is nobody to ask"
    return "answered: " + ", ".join(await exchange.ask(questions, state={"asked": sorted(questions)}))
