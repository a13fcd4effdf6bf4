"""Held calls and the client libraries that agents are built on: each copes, and none tells its model too early."""

from __future__ import annotations

import contextlib
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e_kit import mirrors
from e2e_kit.agents import start_client
from e2e_kit.gateways import GatewayProcess
from e2e_kit.held_clients import (
    DONE,
    LIBRARIES,
    WAIT,
    Caller,
    filed,
    hold_in,
    parameters,
    present,
    ran,
    start_with_tasks,
    told,
)
from e2e_kit.mirrors import tool
from e2e_kit.node import installed
from e2e_kit.people import REVIEWERS, People
from e2e_kit.waiting import until
from e2e_kit.wire import MODERN

from gateway.downstream.patience import patience_of
from gateway.holding.settings import ApprovalSettings

POLICY = """\
package toolgate.rules.held

import rego.v1

allow if true

hold contains {"code": "asks_first", "by": "lead", "why": "somebody has to look"} if input.arguments.ask == true
"""
SCHEMA = {
    "type": "object",
    "properties": {"transferred": {"type": "boolean"}, "given": {"type": "string"}},
    "required": ["transferred", "given"],
    "additionalProperties": False,
}
TEXT = f'"content":[{{"type":"text","text":"{DONE}"}}],"resultType":"complete"'
TOOLS = ("pay", "typed")
PATIENCE_S, PATIENT_S = 1.5, 40
LONGER_THAN_ANY_DEFAULT_S = 63.0
"""Than the longest patience that is not measured in minutes: the 60 s of the TypeScript SDK."""

BEGUN_S = 120

kinds = pytest.mark.parametrize("kind", parameters())
without_tasks = pytest.mark.parametrize("kind", parameters(lambda library: not library.tasks))
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    with mirrors.mirrors(tmp_path_factory.mktemp("held"), only=lambda name: name == "http-modern") as made:
        mirror = made["http-modern"]
        mirror.offer(tools=[tool("pay"), tool("typed", outputSchema=SCHEMA)])
        mirror.say("pay", {"filled": f"{{{TEXT}}}"})
        answer = f'{{{TEXT},"structuredContent":{{"{DONE}":true,"given":$arguments}}}}'
        mirror.say("typed", {"filled": answer})
        yield mirror


def gateway_process(folder, mirror, **approvals):
    return GatewayProcess(
        folder,
        upstreams={"m": mirror.settings()},
        policy={"held.rego": POLICY},
        reviewers=REVIEWERS,
        limits={"calls_per_principal_max": 64},
        approvals=approvals,
    )


@pytest.fixture(scope="module")
def defaults(mirror, tmp_path_factory):
    """A gateway that is told nothing about waiting."""
    with gateway_process(tmp_path_factory.mktemp("defaults"), mirror) as process:
        process.offers("m__pay", "m__typed")
        yield process


@pytest.fixture(scope="module")
def hasty(mirror, tmp_path_factory):
    """A gateway that keeps nobody waiting for long."""
    folder = tmp_path_factory.mktemp("hasty")
    budgets = {"unknown_client_s": 0.2, "client_budget_s": {"fastmcp": 0.2}}
    with gateway_process(folder, mirror, **budgets) as process:
        process.offers("m__pay", "m__typed")
        yield process


@pytest.fixture(scope="module")
def patient(mirror, tmp_path_factory):
    """A gateway that keeps everybody waiting."""
    folder = tmp_path_factory.mktemp("patient")
    budgets = {"unknown_client_s": PATIENT_S, "client_budget_s": {"fastmcp": PATIENT_S}, "round_s": PATIENT_S}
    with gateway_process(folder, mirror, **budgets) as process:
        process.offers("m__pay", "m__typed")
        yield process


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """``libraries(kind)``: the process of a client library."""
    folder = tmp_path_factory.mktemp("libraries")
    started, starting = {}, threading.Lock()

    def library(kind):
        with starting:
            if kind not in started:
                tasks = LIBRARIES[kind].tasks
                started[kind] = (
                    start_with_tasks(kind, folder) if tasks else start_client(kind, folder, installed)
                )
            return started[kind]

    yield library
    for process in started.values():
        process.close()


def new_call():
    return {"ask": True, "n": next(numbers)}


@kinds
def test_a_decision_in_time_is_the_answer_to_the_call(patient, mirror, libraries, kind):
    lea = People(patient)
    agreed, refused = new_call(), new_call()
    with Caller(kind, libraries(kind), patient, patience_s=PATIENT_S) as agent:
        waiting = [agent.start("m__typed", call) for call in (agreed, refused)]
        lea.approve(lea.waits(**agreed))
        code, _ = lea.decide(lea.waits(**refused), "deny", "not before Friday")
        assert code == 200
        yes, no = map(told, waiting)
    assert yes.done
    assert not yes.is_error
    assert no.denied, no
    assert "not before Friday" in no.text
    assert not no.done
    assert no.is_error or not LIBRARIES[kind].shows_errors
    assert (ran(mirror, **agreed), ran(mirror, **refused)) == (1, 0)


@pytest.mark.abuse(129)
@without_tasks
def test_whoever_is_told_to_wait_collects_the_result_later(hasty, mirror, libraries, kind):
    lea = People(hasty)
    calls = {(name, way): new_call() for name in TOOLS for way in ("again", "by its id")}
    with Caller(kind, libraries(kind), hasty) as agent:
        begun = {key: agent.start(f"m__{key[0]}", call) for key, call in calls.items()}
        holds = {}
        for key, calling in begun.items():
            answer = told(calling)
            assert answer.waits, answer
            assert not answer.done
            assert answer.is_error or not LIBRARIES[kind].shows_errors
            [holds[key]] = filed(lea, **calls[key])
            assert hold_in(answer) == holds[key]["id"]

        reworded = {**calls["pay", "by its id"], "please": True}
        answer = agent.ask("m__pay", reworded)
        assert answer.waits
        other = hold_in(answer)
        assert other not in {hold["id"] for hold in holds.values()}
        lea.decide(lea.waits(**reworded), "deny", "once is enough")
        answer = agent.ask(WAIT, {"hold": other})
        assert answer.denied, answer
        assert "once is enough" in answer.text

        for hold in holds.values():
            lea.approve(hold)
        for (name, way), hold in holds.items():
            lea.becomes(hold["id"], "succeeded")
            again = (f"m__{name}", calls[name, way]) if way == "again" else (WAIT, {"hold": hold["id"]})
            answer = agent.ask(*again)
            assert answer.done, answer
            assert not answer.is_error
    for (name, way), call in calls.items():
        assert ran(mirror, **call) == 1
        assert len(filed(lea, **call)) == (2 if (name, way) == ("pay", "by its id") else 1)
    assert ran(mirror, **reworded) == 0


@pytest.mark.abuse(96)
@kinds
def test_whoever_gives_up_by_itself_finds_the_call_again(defaults, mirror, libraries, kind):
    lea = People(defaults)
    calls = {"again": new_call(), "by its id": new_call()}
    with Caller(kind, libraries(kind), defaults, patience_s=PATIENCE_S) as agent:
        begun = [agent.start("m__typed", call) for call in calls.values()]
        holds = {way: lea.waits(**call) for way, call in calls.items()}
        for answer in map(told, begun):
            assert answer.failed, answer
            assert not answer.done
        # Some say nothing when they go: until its own time is up, the gateway waits on for them.
        until(lambda: not any(still_asked(lea, hold) for hold in holds.values()), "somebody waits for ever")
    for way, hold in holds.items():
        assert filed(lea, **calls[way])[0]["status"] == "held", "going away withdraws nothing"
        lea.approve(hold)
        lea.becomes(hold["id"], "succeeded")
    with Caller(kind, libraries(kind), defaults) as agent:
        assert agent.ask("m__typed", calls["again"]).done
        assert agent.ask(WAIT, {"hold": holds["by its id"]["id"]}).done
    for call in calls.values():
        assert ran(mirror, **call) == 1
        assert len(filed(lea, **call)) == 1


def still_asked(people, hold):
    return people.show(hold["id"])["hold"]["callers_waiting"]


class LongHold:
    """One call of one library, with nothing set anywhere, asked for again and again until somebody decides."""

    def __init__(self, kind, decided):
        self.kind, self.call = kind, new_call()
        self.version, self.begun = "", threading.Event()
        self.early, self.late = [], []
        self._decided = decided

    def go(self, client, gateway):
        order = ("m__pay", self.call)
        with Caller(self.kind, client, gateway, plain=True) as agent:
            self.version = agent.version
            self.begun.set()
            while not self.late:
                answer = agent.ask(*order)
                (self.late if self._decided.is_set() else self.early).append(answer)
                if answer.waits:
                    # A model does as it is told.
                    order = (WAIT, {"hold": hold_in(answer)})
            if not self.late[-1].done:
                self.late.append(agent.ask(*order))
        return self


@pytest.fixture(scope="module", autouse=True)
def long_holds(defaults, libraries):
    """They take a minute and cost next to nothing, so they go on beside the other tests."""
    decided, over = threading.Event(), threading.Event()
    lea = People(defaults)

    def decide():
        try:
            assert all(story.begun.wait(BEGUN_S) for story in stories.values())
            holds = [lea.waits(**story.call) for story in stories.values()]
            over.wait(LONGER_THAN_ANY_DEFAULT_S)
        finally:
            # Before the first yes: what was told before this was told too early. Without one, they still end.
            decided.set()
        for hold in holds:
            lea.approve(hold)

    stories = {kind: LongHold(kind, decided) for kind in present()}
    with ThreadPoolExecutor(len(stories) + 1) as threads:
        telling = {
            kind: threads.submit(story.go, libraries(kind), defaults) for kind, story in stories.items()
        }
        deciding = threads.submit(decide)
        yield telling
        over.set()
        deciding.result()


@kinds
def test_at_all_defaults_a_long_hold_is_one_item_and_one_execution(defaults, mirror, long_holds, kind):
    story = long_holds[kind].result(180)
    lea, library = People(defaults), LIBRARIES[kind]
    assert not [answer for answer in story.early if answer.done]
    # On a busy machine five seconds may pass before an answer that was sent after four is read.
    assert [answer for answer in story.early if answer.waits] or library.tasks or library.patience_s > 60
    assert story.late[-1].done, story.late
    [hold] = filed(lea, **story.call)
    assert hold["status"] == "succeeded"
    assert ran(mirror, **story.call) == 1
    assert hold["client"].rpartition(" ")[0] == library.states
    assert story.version in {"", MODERN if library.era == "modern" else story.version}


def test_no_name_is_given_more_patience_than_any_library_that_states_it():
    settings = ApprovalSettings()
    for kind, library in LIBRARIES.items():
        known = patience_of(
            f"{library.states} 1", settings.client_budget_s, unknown_s=settings.unknown_client_s
        )
        assert max(known) < library.patience_s, kind


@pytest.mark.abuse(119)
@pytest.mark.needs("node")
@pytest.mark.needs("old-mcp")
@pytest.mark.needs("agent-libraries")
def test_the_next_process_picks_up_every_client_that_waited_at_a_shutdown(patient, mirror, libraries):
    waited = [kind for kind in present() if not LIBRARIES[kind].tasks]
    calls = {kind: new_call() for kind in waited}
    lea = People(patient)

    @contextlib.contextmanager
    def asking():
        with contextlib.ExitStack() as stack:
            agents = {
                kind: stack.enter_context(Caller(kind, libraries(kind), patient, patience_s=PATIENT_S))
                for kind in waited
            }
            yield {kind: agents[kind].start("m__pay", calls[kind]) for kind in waited}

    with asking() as begun:
        holds = {kind: lea.waits(**calls[kind]) for kind in waited}
        assert patient.stop() == 0
        for kind, calling in begun.items():
            answer = told(calling)
            # Who comes back for another round at once finds a gateway that takes no more, or none.
            assert answer.waits or answer.failed or answer.is_error, (kind, answer)
            assert not answer.done, kind
    patient.start()
    patient.offers("m__pay")
    with asking() as begun:
        for kind in waited:
            [hold] = filed(lea, **calls[kind])
            assert (hold["id"], hold["status"]) == (holds[kind]["id"], "held")
            lea.approve(hold)
        for kind, calling in begun.items():
            answer = told(calling)
            assert answer.done, (kind, answer)
            assert ran(mirror, **calls[kind]) == 1
            assert len(filed(lea, **calls[kind])) == 1
