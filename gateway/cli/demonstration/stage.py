"""The demo's processes: an order desk over HTTP, a notebook over stdio, the gateway between them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import os
import secrets
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import ConfigurationError
from gateway.identity.reviewers import new_reviewer_token
from gateway.identity.tokens import token_hash

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "tg_quickstart"
START_S = 30.0
STOP_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where everything is while the demo runs."""

    folder: Path
    url: str
    people_url: str
    policy: Path
    reviewer_token: str
    """Of lea@example.com, who decides refunds and pins definitions; made for this one run."""

    @property
    def notes_server(self) -> Path:
        """The notebook's program; whoever can write it can change what its tools say of themselves."""
        return self.folder / "notes_server.py"

    @property
    def config(self) -> Path:
        """The configuration in use."""
        return self.folder / "toolgate.yaml"

    def introduction(self, login_link: str) -> str:
        """What a person can try by hand now; the link opens the reviewer's pages, once."""
        call = f"toolgate call -c {self.config} orders/get_order order_id=A-1001"
        held = f"toolgate call -c {self.config} orders/refund_order order_id=A-1002 amount=900"
        header = f'--header "Authorization: Bearer {TOKEN}"'
        lines = (
            "",
            "Try it yourself:",
            f"  open    {login_link}",
            f"  hold    TOOLGATE_TOKEN={TOKEN} {held}   # it waits: decide it on the page",
            f"  edit    {self.policy}",
            f"  call    TOOLGATE_TOKEN={TOKEN} {call}",
            f"  audit   toolgate audit tail -c {self.config}",
            f"  decide  TOOLGATE_REVIEWER_TOKEN={self.reviewer_token} toolgate approvals ls -c {self.config}",
            f"  pins    TOOLGATE_REVIEWER_TOKEN={self.reviewer_token} toolgate tools ls -c {self.config}",
            f"  connect claude mcp add --transport http toolgate {self.url}/mcp {header}",
        )
        return "\n".join(lines)


@contextlib.asynccontextmanager
async def stage(*, keep: bool) -> AsyncIterator[Scene]:
    """Start everything in a fresh temporary folder; end and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="toolgate-demo-"))
    try:
        shutil.copytree(_quickstart(), folder, dirs_exist_ok=True)
        orders_port, agents_port, people_port = _free_port(), _free_port(), _free_port()
        config = folder / "toolgate.yaml"
        listen = f'listen: {{agents: "127.0.0.1:{agents_port}", people: "127.0.0.1:{people_port}"}}\n'
        token = new_reviewer_token(secrets.token_bytes(32))
        roles = "roles: [refund-lead, operator], tenant: acme"
        lea = f'{{id: lea@example.com, token: "{token_hash(token)}", {roles}}}'
        config.write_text(f"{config.read_text('utf-8')}{listen}reviewers: [{lea}]\n", "utf-8")
        scene = Scene(
            folder=folder,
            url=f"http://127.0.0.1:{agents_port}",
            people_url=f"http://127.0.0.1:{people_port}",
            policy=folder / "policies" / "support.rego",
            reviewer_token=token,
        )
        environ = {**os.environ, "ORDERS_PORT": str(orders_port), "TOOLGATE_PYTHON": sys.executable}
        orders = [sys.executable, str(folder / "orders_server.py"), "--port", str(orders_port)]
        gateway = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
        async with (
            _served(orders, environ, orders_port, folder / "orders.log"),
            _served(gateway, environ, agents_port, folder / "gateway.log"),
        ):
            yield scene
    finally:
        if keep:
            sys.stderr.write(f"kept {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _quickstart() -> Path:
    """The example's files: inside an installed wheel, or in the checkout."""
    packaged = Path(str(importlib.resources.files("gateway.cli.demonstration"))) / "quickstart"
    checkout = Path(__file__).resolve().parents[3] / "examples" / "quickstart"
    found = packaged if packaged.is_dir() else checkout
    if not found.is_dir():
        raise ConfigurationError(
            "the demo's files are missing from this installation", next_step="pip install toolgate"
        )
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def _served(command: list[str], environ: dict[str, str], port: int, log: Path) -> AsyncIterator[None]:
    """Run a server until the block ends; enter the block once its port answers."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env=environ, stdin=asyncio.subprocess.DEVNULL, stdout=descriptor, stderr=descriptor
        )
    finally:
        os.close(descriptor)
    try:
        if not await _answers(process, port):
            said = _last_words(log)
            raise ConfigurationError(
                f"{' '.join(command[1:3])} did not start within {START_S:.0f} s:\n{said}"
            )
        yield
    finally:
        await _end(process)


def _last_words(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-2000:]


async def _answers(process: asyncio.subprocess.Process, port: int) -> bool:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + START_S
    while loop.time() < end_s and process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return True
    return False


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
