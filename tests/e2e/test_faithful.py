"""What passes through is what was said: arguments in canonical form, everything else byte for byte, each to its caller."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
import pytest_asyncio
import rfc8785
from e2e_kit import fronts, mirrors
from e2e_kit.gateways import ANA, BEN, GatewayProcess
from e2e_kit.json_texts import (
    EXACT_NUMBERS,
    INPUT_SCHEMAS,
    NUMBERS,
    OUTPUT_SCHEMAS,
    drawn,
    objects,
    strings,
    values,
)
from e2e_kit.mirrors import members, tool
from e2e_kit.people import MAX, REVIEWERS, People
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = settings(max_examples=25, derandomize=True, database=None, deadline=None)
EACH_WAY = [
    pytest.mark.parametrize("upstream", mirrors.IDS),
    pytest.mark.parametrize("kind", fronts.KINDS),
]
DEFINITIONS = 40
CALLS = 200


def each_way(test):
    for mark in EACH_WAY:
        test = mark(test)
    return test


def _definition(number, drawn_parts):
    inputs, outputs, unheard = drawn_parts
    out = "" if outputs is None else f',"outputSchema": {outputs}'
    return f'{{"name":"t{number}", "inputSchema":{inputs}{out},"x-unheard": {unheard},"title":"\\u0054"}}'


TOOLS = [
    _definition(number, one)
    for number, one in enumerate(
        drawn(st.tuples(INPUT_SCHEMAS, OUTPUT_SCHEMAS, values(EXACT_NUMBERS)), DEFINITIONS)
    )
]
UNHEARD = drawn(values(EXACT_NUMBERS), 10)
PROMPTS = [
    f'{{"name":"p{number}","x-unheard": {one},"arguments":[{{"name":"raw", "x":1.50}}]}}'
    for number, one in enumerate(UNHEARD)
]


def resources(upstream, member):
    ends = {"uri": "", "uriTemplate": "/{any}"}[member]
    return [
        f'{{"name":"r","{member}":"{upstream}:/{number}{ends}","x-unheard": {one},"size":1E2}}'
        for number, one in enumerate(UNHEARD)
    ]


@pytest.fixture(scope="module")
def reflected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faithful")
    with mirrors.mirrors(folder) as made:
        for name, mirror in made.items():
            mirror.offer(
                capabilities={"tools": {}, "prompts": {}, "resources": {}},
                tools=[tool("say"), tool("echo"), *TOOLS],
                prompts=[{"name": "say", "arguments": [{"name": "raw"}]}, *PROMPTS],
                resources=[{"uri": f"{name}:say", "name": "say"}, *resources(name, "uri")],
                resourceTemplates=resources(name, "uriTemplate"),
                page=25,
            )
        upstreams = {name: mirror.settings() for name, mirror in made.items()}
        limits = {"calls_max": 2 * CALLS, "calls_per_principal_max": CALLS}
        # Texts are changed by what looks at them (test_content.py); here they must not be.
        content = {"scan": False}
        with GatewayProcess(
            folder / "gateway", upstreams=upstreams, limits=limits, content=content, reviewers=REVIEWERS
        ) as gateway:
            gateway.offers(*(f"{name}__say" for name in made))
            # Among texts made at random are some in which something is found.
            People(gateway, MAX).vouch()
            yield gateway, made


@pytest.fixture(scope="module")
def made(reflected):
    return reflected[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agents(reflected):
    async with fronts.fronts(reflected[0]) as opened:
        yield opened


def on_one_line(text):
    """On an event stream and on standard streams a line break between values becomes another white space."""
    return text.translate(bytes.maketrans(b"\r\n", b"  "))


def kept(text):
    return {name: on_one_line(value.strip()) for name, value in members(text).items()}


@each_way
@EXAMPLES
@given(arguments=objects(values(EXACT_NUMBERS)))
async def test_arguments_arrive_equal_and_in_canonical_form(agents, made, kind, upstream, arguments):
    answer = await agents[kind].ask("tools/call", f'{{"name":"{upstream}__say","arguments":{arguments}}}')
    assert "result" in members(answer.raw), answer.raw
    arrived = made[upstream].last("tools/call").params["arguments"]
    assert json.loads(arrived) == json.loads(arguments)
    assert arrived == rfc8785.dumps(json.loads(arguments))


@each_way
@EXAMPLES
@given(
    arguments=objects(strings(st.text(max_size=12)), names=st.sampled_from(["raw", "ü", "\U0001d306", ""]))
)
async def test_arguments_of_a_prompt_arrive_equal_and_in_canonical_form(
    agents, made, kind, upstream, arguments
):
    answer = await agents[kind].ask("prompts/get", f'{{"name":"{upstream}__say","arguments":{arguments}}}')
    assert "result" in members(answer.raw), answer.raw
    assert made[upstream].last("prompts/get").params["arguments"] == rfc8785.dumps(json.loads(arguments))


_ANYTHING = values(NUMBERS)
_KNOWN = {
    "isError": st.sampled_from(["true", "false"]),
    "structuredContent": objects(_ANYTHING),
    "content": st.builds("[{}]".format, objects(_ANYTHING)),
    "contents": st.builds("[ {} ]".format, _ANYTHING),
    "messages": _ANYTHING,
    "_meta": objects(_ANYTHING),
    "ttlMs": st.sampled_from(["0", "60000"]),
    "cacheScope": st.just('"public"'),
}
_OWN = frozenset({*_KNOWN, "resultType"})


@st.composite
def results(draw):
    """A result with members that are known, and ones that nobody knows, in any order."""
    known = [(json.dumps(name), draw(text)) for name, text in _KNOWN.items() if draw(st.booleans())]
    names = st.text(max_size=8).filter(lambda name: name not in _OWN)
    unheard = draw(
        st.lists(st.tuples(strings(names), _ANYTHING), max_size=4, unique_by=lambda one: json.loads(one[0]))
    )
    parts = draw(st.permutations([*known, *unheard]))
    gap = draw(st.sampled_from(["", " ", "\n    "]))
    return "{" + gap + f",{gap}".join(f"{name}:{gap}{value}" for name, value in parts) + gap + "}"


TARGETS = {
    "tools/call": lambda upstream: ({"name": f"{upstream}__say"}, "say"),
    "prompts/get": lambda upstream: ({"name": f"{upstream}__say"}, "say"),
    "resources/read": lambda upstream: ({"uri": f"{upstream}:say"}, f"{upstream}:say"),
}
# Between the eras only these come and go.
MAY_DIFFER = {
    "tools/call": {"resultType"},
    "prompts/get": {"resultType"},
    "resources/read": {"resultType", "ttlMs", "cacheScope"},
}
NOTICE = {
    "say": '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$token,"progress":1}}'
}
WAYS = {"plain": [], "as a stream": [{"stream": True}], "after a notice": [NOTICE]}


async def said(agents, made, kind, upstream, method, way, step):
    """The answer to a request whose upstream takes that last step."""
    params, key = TARGETS[method](upstream)
    made[upstream].say(key, *WAYS[way], step)
    meta = {"progressToken": 7} if way == "after a notice" else None
    return await agents[kind].ask(method, params, meta=meta)


@each_way
@EXAMPLES
@given(result=results(), way=st.sampled_from(sorted(WAYS)), typed=st.booleans())
async def test_results_pass_byte_for_byte_but_for_what_only_one_era_has(
    agents, made, kind, upstream, result, way, typed
):
    if typed and made[upstream].era == "modern":
        result = result.rstrip()[:-1] + (
            ',"resultType" : "complete"}' if members(result) else '"resultType":"complete"}'
        )
    for method, differs in MAY_DIFFER.items():
        got = kept((await said(agents, made, kind, upstream, method, way, {"result": result})).result)
        expected = kept(result)
        assert got.keys() - expected.keys() <= differs
        assert expected.keys() - got.keys() <= differs
        shared = [name for name in expected if name in got and name not in differs]
        assert {name: got[name] for name in shared} == {name: expected[name] for name in shared}
        assert [name for name in got if name in shared] == shared
        modern = agents[kind].era == "modern"
        assert got.get("resultType") == (b'"complete"' if modern else None)
        if method == "resources/read" and modern:
            assert got["cacheScope"] == b'"private"'
            assert got["ttlMs"] == expected.get("ttlMs", b"0")


@each_way
@pytest.mark.parametrize("content", ["", ' "content": [], ', ' "content": [{"type":"text","text":"told"}], '])
async def test_structured_content_that_is_no_object_is_text_to_an_older_agent(
    agents, made, kind, upstream, content
):
    result = f'{{{content} "structuredContent": [1.50, 1E2] }}'
    answer = await said(agents, made, kind, upstream, "tools/call", "plain", {"result": result})
    got = kept(answer.result)
    if agents[kind].era == "modern" or made[upstream].era == "legacy":
        assert got["structuredContent"] == b"[1.50, 1E2]"
        return
    assert "structuredContent" not in got
    assert answer.text == ("told" if "told" in content else "[1.50, 1E2]")


@each_way
@EXAMPLES
@given(
    data=_ANYTHING,
    unheard=_ANYTHING,
    code=st.sampled_from([-32000, -32050, 7, 40_000]),
    message=strings(st.text(max_size=12)),
    way=st.sampled_from(sorted(WAYS)),
    method=st.sampled_from(sorted(TARGETS)),
)
async def test_the_error_of_an_upstream_passes_byte_for_byte(
    agents, made, kind, upstream, data, unheard, code, message, way, method
):
    error = f'{{ "data":{data}, "code": {code},"message":{message},"unheard" : {unheard}}}'
    answer = await said(agents, made, kind, upstream, method, way, {"error": error})
    assert on_one_line(answer.error) == on_one_line(error.encode())


def object_schema(schema):
    """A schema as the older era can have it: property schemas are objects."""
    parts = members(schema)
    spelled = {"true": b"{}", "false": b'{"not":{}}'}
    each = {
        name: spelled.get(text.strip().decode(), text) for name, text in members(parts["properties"]).items()
    }
    return {**parts, "properties": each}


def served_tool(text, *, modern):
    """What an agent must be shown of a tool, but for its name."""
    parts = members(text)
    del parts["name"]
    if not modern:
        if "outputSchema" in parts and members(parts["outputSchema"])["type"] != b'"object"':
            del parts["outputSchema"]
        for name in {"inputSchema", "outputSchema"} & parts.keys():
            parts[name] = object_schema(parts[name])
    return parts


def shown_tool(text, *, modern):
    parts = members(text)
    del parts["name"]
    if not modern:
        for name in {"inputSchema", "outputSchema"} & parts.keys():
            inside = members(parts[name])
            parts[name] = {**inside, "properties": members(inside["properties"])}
    return parts


async def listed(agent, method, member, upstream):
    """What is listed of an upstream on the aggregate route, by its own name, byte for byte."""
    found = members((await agent.ask(method)).result)[member]
    name = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}[
        member
    ]
    return {
        json.loads(members(one)[name]).removeprefix(f"{upstream}__"): on_one_line(bytes(one))
        for one in msgspec.json.decode(found, type=list[msgspec.Raw])
        if upstream in json.loads(members(one)[name])
    }


@each_way
async def test_tools_with_any_schema_and_any_members_are_listed_as_they_are(agents, kind, upstream):
    modern = agents[kind].era == "modern"
    shown = await listed(agents[kind], "tools/list", "tools", upstream)
    assert shown.keys() == {"say", "echo", *(f"t{number}" for number in range(len(TOOLS)))}
    for number, text in enumerate(TOOLS):
        expected = served_tool(on_one_line(text.encode()), modern=modern)
        assert shown_tool(shown[f"t{number}"], modern=modern) == expected, text


@pytest.mark.parametrize("upstream", mirrors.IDS)
async def test_on_the_route_of_its_upstream_a_definition_is_not_touched_at_all(reflected, upstream):
    async with fronts.front("modern-http", reflected[0], f"/s/{upstream}/mcp") as agent:
        tools = msgspec.json.decode(
            members((await agent.ask("tools/list")).result)["tools"], type=list[msgspec.Raw]
        )
        texts = {text.encode() for text in TOOLS}
        # The mirror on standard streams cannot send line breaks.
        assert {bytes(one) for one in tools} >= (
            texts if upstream.startswith("http") else set(map(on_one_line, texts))
        )


@each_way
async def test_prompts_resources_and_templates_are_listed_as_they_are(agents, kind, upstream):
    agent = agents[kind]
    prompts = await listed(agent, "prompts/list", "prompts", upstream)
    for text in PROMPTS:
        name = json.loads(text)["name"]
        expected = members(on_one_line(text.encode()))
        assert {**members(prompts[name]), "name": b""} == {**expected, "name": b""}
    for method, member, named in (
        ("resources/list", "resources", "uri"),
        ("resources/templates/list", "resourceTemplates", "uriTemplate"),
    ):
        shown = await listed(agent, method, member, upstream)
        texts = resources(upstream, named)
        assert {on_one_line(text.encode()) for text in texts} <= set(shown.values())


async def own_answers(agent, who, upstream):
    """Many calls at once; each answer and each notice must be this caller's own."""
    sent = {number: {"who": who, "number": number} for number in range(CALLS)}
    answers = await asyncio.gather(
        *(
            agent.ask(
                "tools/call",
                {"name": f"{upstream}__echo", "arguments": arguments},
                meta={"progressToken": number},
                number=number,
            )
            for number, arguments in sent.items()
        )
    )
    for (number, arguments), answer in zip(sent.items(), answers, strict=True):
        assert json.loads(answer.raw)["id"] == number
        assert json.loads(answer.text) == arguments
        told = [
            (one["params"]["progressToken"], json.loads(one["params"]["message"])) for one in answer.before
        ]
        assert told == [(number, arguments)]


@pytest.mark.abuse(24)
@pytest.mark.parametrize("upstream", mirrors.IDS)
@pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])
async def test_of_200_calls_each_with_the_same_ids_and_tokens_nothing_reaches_the_other(
    reflected, kind, upstream
):
    gateway, made = reflected
    progress = {"progressToken": "$token", "progress": 1, "message": "$arguments"}
    notice = json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": progress})
    for name in ("token", "arguments"):
        notice = notice.replace(f'"${name}"', f"${name}")
    result = '{"resultType":"complete","content":[{"type":"text","text":$arguments}]}'
    made[upstream].say("echo", {"pause": 0.02}, {"say": notice}, {"pause": 0.02}, {"filled": result})
    heard = len(made[upstream].heard("tools/call"))
    async with fronts.front(kind, gateway, token=ANA) as ana, fronts.front(kind, gateway, token=BEN) as ben:
        await asyncio.gather(own_answers(ana, "ana", upstream), own_answers(ben, "ben", upstream))
    assert len(made[upstream].heard("tools/call")) == heard + 2 * CALLS


async def test_nothing_failed_inside_the_gateway(reflected):
    assert "Traceback" not in reflected[0].stderr
