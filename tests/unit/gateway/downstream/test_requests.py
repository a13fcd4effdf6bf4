"""From a message to the canonical call: each route and method, and what is refused on the way."""

from __future__ import annotations

import json

import pytest

from gateway.core.capabilities import TASKS_EXTENSION
from gateway.core.definition import Kind
from gateway.core.seal import Seal
from gateway.downstream.message import read_message
from gateway.downstream.requests import Requests
from gateway.downstream.task_ids import Task, TaskIds
from gateway.errors import (
    CapabilityMissing,
    InvalidParams,
    UnknownPrompt,
    UnknownResource,
    UnknownTask,
    UnknownTool,
)
from tests.fakes import ANA, BEN, FixedCatalogue, defined, definition

IDS = TaskIds(Seal(bytes(64)))
UPSTREAMS = frozenset({"orders", "notes"})
TASKS = {"extensions": {TASKS_EXTENSION: {}}}


def requests(*definitions):
    return Requests(FixedCatalogue(*definitions), UPSTREAMS, IDS)


def read(where, method, params, *, upstream=None, modern=True, principal=ANA, capabilities=None):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    return where.read(read_message(body), upstream, principal, capabilities or {}, modern=modern)


def resource(uri, upstream="orders"):
    return defined({"uri": uri}, Kind.RESOURCE, upstream=upstream)


def template(text, upstream="orders"):
    return defined({"uriTemplate": text}, Kind.TEMPLATE, upstream=upstream)


def test_names_are_prefixed_on_the_aggregate_route_and_their_own_on_an_upstreams():
    found = read(requests(), "prompts/get", {"name": "orders__review", "arguments": {"a": "b"}})
    assert (found.call.upstream, found.call.name, found.call.arguments) == ("orders", "review", {"a": "b"})
    found = read(requests(), "tools/call", {"name": "review"}, upstream="orders")
    assert (found.call.method, found.call.target) == ("tools/call", "orders/review")


@pytest.mark.abuse(45)
@pytest.mark.parametrize("name", ["review", "orders_review", "__review", "orders__", "toolgate__x", "a b__c"])
def test_a_name_that_no_route_could_have_offered_is_unknown(name):
    with pytest.raises(UnknownTool):
        read(requests(), "tools/call", {"name": name})
    with pytest.raises(UnknownPrompt):
        read(requests(), "prompts/get", {"name": name})


def test_a_uri_is_the_upstreams_that_lists_it_or_has_a_template_for_it():
    where = requests(resource("a:1"), resource("a:2", "notes"), template("b:{x}", "notes"))
    for uri, upstream in (("a:1", "orders"), ("a:2", "notes"), ("b:9", "notes")):
        found = read(where, "resources/read", {"uri": uri})
        assert (found.call.upstream, found.call.name, found.call.arguments) == (upstream, uri, {"uri": uri})
    assert read(where, "resources/read", {"uri": "c:1"}, upstream="notes").call.upstream == "notes"


def test_a_uri_that_nobody_lists_belongs_to_the_only_upstream_with_resources():
    assert read(requests(resource("a:1")), "resources/read", {"uri": "z:1"}).call.upstream == "orders"
    with pytest.raises(UnknownResource):
        read(requests(resource("a:1"), resource("a:2", "notes")), "resources/read", {"uri": "z:1"})
    with pytest.raises(UnknownResource):
        read(requests(), "resources/read", {"uri": "z:1"})


@pytest.mark.abuse(44)
def test_a_uri_that_two_upstreams_list_is_nobodys_on_the_aggregate_route():
    where = requests(resource("a:1"), resource("a:1", "notes"))
    with pytest.raises(UnknownResource, match="more than one"):
        read(where, "resources/read", {"uri": "a:1"})
    assert read(where, "resources/read", {"uri": "a:1"}, upstream="notes").call.upstream == "notes"


@pytest.mark.abuse(46)
@pytest.mark.parametrize("uri", [None, 5, "", "no scheme", "a:\u200bb", "a:" + "x" * 3000])
def test_what_is_no_uri_is_refused(uri):
    where = requests(resource("a:1"))
    assert read(where, "resources/read", {"uri": "a:1"})
    with pytest.raises(InvalidParams):
        read(where, "resources/read", {"uri": uri})


def test_a_completion_is_about_a_prompt_or_a_template_under_its_own_name():
    where = requests(template("a:{x}", "notes"))
    argument = {"name": "x", "value": "v"}
    prompt = {"ref": {"type": "ref/prompt", "name": "orders__review", "title": "t"}, "argument": argument}
    found = read(where, "completion/complete", prompt)
    assert (found.call.upstream, found.call.name) == ("orders", "review")
    assert found.call.arguments == {"ref": {**prompt["ref"], "name": "review"}, "argument": argument}
    about = {
        "ref": {"type": "ref/resource", "uri": "a:{x}"},
        "argument": argument,
        "context": {"arguments": {}},
    }
    found = read(where, "completion/complete", about)
    assert (found.call.upstream, found.call.name, found.call.arguments) == ("notes", "a:{x}", about)


@pytest.mark.abuse(27)
@pytest.mark.parametrize(
    "changes",
    [
        {"ref": None},
        {"ref": {"type": "ref/tool", "name": "orders__x"}},
        {"ref": {"type": "ref/prompt"}},
        {"argument": {"name": "x"}},
        {"argument": {"name": "x", "value": 5}},
        {"argument": {"name": "x", "value": "v", "more": 1}},
        {"context": []},
        {"other": 1},
    ],
)
def test_a_completion_of_another_shape_is_refused(changes):
    good = {"ref": {"type": "ref/prompt", "name": "orders__x"}, "argument": {"name": "x", "value": "v"}}
    assert read(requests(), "completion/complete", good)
    with pytest.raises(InvalidParams):
        read(requests(), "completion/complete", good | changes)


SLOW = Task("orders", "slow", "t-1")


def task_id(principal=ANA, task=SLOW):
    return json.loads(IDS.renamed(principal, task, b'{"taskId":"t-1"}'))["taskId"]


@pytest.mark.abuse(34)
def test_a_task_is_its_owners_on_its_own_route():
    found = read(requests(), "tasks/get", {"taskId": task_id()}, capabilities=TASKS)
    assert (found.call.upstream, found.call.name, found.call.arguments) == (
        "orders",
        "slow",
        {"taskId": "t-1"},
    )
    assert found.about == Task("orders", "slow", "t-1")
    assert read(requests(), "tasks/get", {"taskId": task_id()}, upstream="orders", modern=False)
    wrong = [
        (task_id(), {"principal": BEN}),
        (task_id(), {"upstream": "notes"}),
        ("t-1", {}),
        ("", {}),
        ("x" * 1_000_000, {}),
        (task_id(task=Task("gone", "slow", "t-1")), {}),
    ]
    for text, how in wrong:
        with pytest.raises(UnknownTask, match="no such task"):
            read(requests(), "tasks/get", {"taskId": text}, capabilities=TASKS, **how)


def test_tasks_need_their_extension_to_be_declared():
    with pytest.raises(CapabilityMissing):
        read(requests(), "tasks/get", {"taskId": task_id()})


def test_a_beginning_task_gets_an_id_that_stays_the_same():
    result = b'{"resultType":"task","taskId":"t-1","status":"working"}'
    issued = IDS.issued(ANA, "orders", "slow", result)
    assert json.loads(issued)["taskId"] == task_id()
    assert IDS.issued(ANA, "orders", "slow", b'{"content":[]}') == b'{"content":[]}'


@pytest.mark.abuse(28)
def test_each_era_has_its_own_parameters():
    tool = {"name": "orders__x", "arguments": {}}
    found = read(
        requests(definition()), "tools/call", {**tool, "requestState": "s", "inputResponses": {"a": {}}}
    )
    assert (found.state, found.responses) == ("s", {"a": {}})
    for params, modern in (
        ({**tool, "task": {}}, True),
        ({**tool, "requestState": "s"}, False),
        ({**tool, "x": 1}, True),
        ({**tool, "requestState": 5}, True),
        ({**tool, "inputResponses": []}, True),
        ({**tool, "task": 5}, False),
    ):
        with pytest.raises(InvalidParams):
            read(requests(definition()), "tools/call", params, modern=modern)
    ignored = read(requests(definition()), "tools/call", {**tool, "task": {"ttl": 5}}, modern=False)
    assert ignored.task is None, "the server announced no such tasks"
