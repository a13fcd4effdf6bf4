"""A company with a really running gateway: reviewers, agents, tool servers and rules."""

from __future__ import annotations

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from e2e_kit.gateways import GatewayProcess
from e2e_kit.people import People, reviewer
from e2e_kit.waiting import until

from tests.browser.agents import Agent
from tests.browser.definitions import DEFINITIONS, READ_ONLY

HERE = Path(__file__).parent
AT_ONCE = 8

REVIEWERS = {
    "ana": ("refund-lead", "acme"),
    "ben": ("refund-lead", "acme"),
    "olga": ("operator", "acme"),
    "eve": ("refund-lead", "other"),
}
"""Role and tenant. Eve is of another tenant, for which nothing of all this exists."""
AGENTS = {
    "billing": ("carla@example.com", "acme"),
    "support-bot": ("dora@example.com", "acme"),
    "ops": ("emil@example.com", "acme"),
    "research": ("fritz@example.com", "acme"),
    "assistant": ("ana@example.com", "acme"),
    "stranger": ("gil@example.com", "other"),
}
"""On whose behalf, and tenant. ``assistant`` is Ana's own, so she decides none of its calls."""


def reviewer_token(name):
    return "tgr_" + hashlib.sha256(f"reviewer {name}".encode()).hexdigest()


def agent_token(name):
    return "tg_" + hashlib.sha256(f"agent {name}".encode()).hexdigest()


def agent_entry(name, subject, tenant):
    hashed = "sha256:" + hashlib.sha256(agent_token(name).encode()).hexdigest()
    return {"name": name, "token": hashed, "subject": {"id": subject, "tenant": tenant}}


class Company:
    """A context manager that never leaves its gateway running."""

    def __init__(self, folder, **settings):
        """Everything it writes stands below the folder. ``settings``: further ones of the gateway."""
        self.folder = folder
        self.runs_log = folder / "runs.jsonl"
        self.runs_log.touch()
        upstreams = {}
        for name, tools in DEFINITIONS.items():
            self.lists(name, tools)
            command = [sys.executable, str(HERE / "tool_server.py"), self._book(name), self.runs_log]
            upstreams[name] = {"command": list(map(str, command)), "era": "legacy"}
        upstreams["crm"]["read_only"] = READ_ONLY
        self.gateway = GatewayProcess(
            folder / "gateway",
            upstreams=upstreams,
            policy={"rules.rego": (HERE / "rules.rego").read_text()},
            # Five megabytes are decided and looked at on a machine that does other things as well.
            policy_settings={"path": "./policies", "deadline_s": 10},
            content={"deadline_s": 30},
            agents=[agent_entry(name, *rest) for name, rest in AGENTS.items()],
            reviewers=[
                reviewer(name, reviewer_token(name), role, tenant=tenant)
                for name, (role, tenant) in REVIEWERS.items()
            ],
            # Nobody is kept waiting for a person who never comes.
            approvals={"unknown_client_s": 0.05, "per_agent_max": 1_000},
            # Room for what no agent should send.
            limits={"body_bytes_max": 8 << 20, "calls_per_principal_max": 64},
            **settings,
        )
        self.people = {name: People(self.gateway, reviewer_token(name)) for name in REVIEWERS}

    def __enter__(self):
        self.gateway.start()
        self.gateway.offers(
            *(f"{upstream}__{one['name']}" for upstream, tools in DEFINITIONS.items() for one in tools),
            token=agent_token("ops"),
        )
        return self

    def __exit__(self, *_):
        self.gateway.__exit__()
        said = self.gateway.stderr
        assert "Traceback" not in said, said[-4000:]

    @property
    def url(self):
        """Where people are served."""
        return self.gateway.people_url

    def login_link(self, who):
        """A new one-time link for this reviewer."""
        code, answer = self.people[who].ask("POST", "/login-links", {})
        assert code == 200, answer
        return answer["url"]

    def agent(self, name, *, client=None, route="/mcp"):
        """A new session of this agent."""
        return Agent(self.gateway.url + route, agent_token(name), client=client)

    def hold(self, agent, tool, arguments, **rest):
        """File a call of a new session; the id under which it waits."""
        return self.agent(agent).hold(tool, arguments, **rest)

    def lists(self, upstream, tools):
        """From now on the tool server lists these; a running gateway hears of it by itself."""
        text = json.dumps(tools)
        # Whole or not at all: the server looks at any moment.
        draft = self._book(upstream).with_suffix(".new")
        draft.write_text(text)
        draft.replace(self._book(upstream))

    def runs(self):
        """Every call that reached a tool server, in order."""
        return [json.loads(line) for line in self.runs_log.read_text().splitlines()]

    def _book(self, upstream):
        return self.folder / f"{upstream}.json"


def at_once(run, things):
    """Several of them at a time; the answers in order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, things))


def until_kept_back(people, hold):
    """Wait until the definition that a held call is about is not in use any more; why."""
    return until(
        lambda: people.show(hold)["hold"]["kept_back"], "its definition is not kept back", within_s=20
    )
