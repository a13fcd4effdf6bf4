"""Who is measured: the bare upstream, toolgate as an operator would run it, and two proxies that govern nothing."""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from processes import Program, python, running
from rego import write_policies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "tg_bench"
POLICY_LINES = 150
ADDRESS = r"(http://[0-9.:]+)/mcp"
PORT = r"^ready (\d+)"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One endpoint under load, and the process whose work it costs."""

    name: str
    url: str
    program: Program
    token: str = ""


@asynccontextmanager
async def bare_upstream(folder: Path) -> AsyncIterator[Candidate]:
    """The echo server itself."""
    async with running(python("echo_upstream.py"), ready=PORT, log=folder / "upstream.log") as program:
        url = f"http://127.0.0.1:{program.found[1]}/mcp"
        yield Candidate(name="direct", url=url, program=program)


@asynccontextmanager
async def sdk_proxy(folder: Path, upstream_url: str, era: str) -> AsyncIterator[Candidate]:
    """``Server`` + ``Client`` of the official SDK."""
    async with _proxy("sdk_proxy.py", "SDK proxy", folder, upstream_url, era) as candidate:
        yield candidate


@asynccontextmanager
async def fastmcp_proxy(folder: Path, upstream_url: str, era: str) -> AsyncIterator[Candidate]:
    """FastMCP's proxy, client reused."""
    async with _proxy("fastmcp_proxy.py", "FastMCP proxy", folder, upstream_url, era) as candidate:
        yield candidate


@asynccontextmanager
async def _proxy(
    script: str, name: str, folder: Path, upstream_url: str, era: str
) -> AsyncIterator[Candidate]:
    mode = "auto" if era == "modern" else "legacy"
    log = folder / f"{script}.log"
    async with running(python(script, upstream_url, mode), ready=PORT, log=log) as program:
        yield Candidate(name=name, url=f"http://127.0.0.1:{program.found[1]}/mcp", program=program)


@asynccontextmanager
async def toolgate(
    folder: Path, upstream_url: str, era: str = "auto", *, scan: bool = True
) -> AsyncIterator[Candidate]:
    """``toolgate serve`` with Rego, durable audit, sealed payloads and the look at texts, as they are by default."""
    config = write_config(folder, upstream_url, era, scan=scan)
    argv = [str(Path(sys.executable).with_name("toolgate")), "serve", "--config", str(config)]
    async with running(argv, ready=ADDRESS, log=folder / "toolgate.log") as program:
        url = f"{program.found[1]}/s/bench/mcp"
        name = "toolgate" if scan else "toolgate, scan off"
        yield Candidate(name=name, url=url, program=program, token=TOKEN)


def write_config(folder: Path, upstream_url: str, era: str = "auto", *, scan: bool = True) -> Path:
    """A configuration with nothing switched off; only the bounds on one principal are raised to the load's."""
    folder.mkdir(parents=True, exist_ok=True)
    write_policies(folder / "policies", POLICY_LINES)
    subject = {"id": "ana@example.com", "tenant": "acme", "roles": ["support"]}
    settings = {
        "upstreams": {"bench": {"url": upstream_url, "era": era, "read_only": ["echo"]}},
        "agents": [{"name": "bench", "token": _hashed(TOKEN), "subject": subject}],
        "policy": {"path": "./policies"},
        "listen": {"agents": "127.0.0.1:0", "people": "127.0.0.1:0"},
        "limits": {"calls_per_principal_max": 64},
        "pin_on_first_use": True,
        "content": {"scan": scan},
        "data": "./data",
    }
    path = folder / "toolgate.yaml"
    path.write_text(json.dumps(settings, indent=1))  # JSON is YAML
    return path


def _hashed(token: str) -> str:
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()
