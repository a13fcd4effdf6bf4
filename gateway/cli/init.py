"""``toolgate init``: a configuration and a policy to start from, written where you are."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.errors import ConfigurationError
from gateway.packages import STARTER_POLICY

CONFIG = """\
# toolgate's configuration. Every setting: toolgate config schema
upstreams:
  # One block for each MCP server. HTTP:
  #   orders: {url: "http://127.0.0.1:9100/mcp", headers: {Authorization: "Bearer ${env:ORDERS_TOKEN}"}}
  # or a child process:
  #   files: {command: [npx, -y, "@modelcontextprotocol/server-filesystem", .], read_only: [read_file]}

# Who decides the calls that policy holds. Without any you are the one person who does.
# reviewers:
#   - {id: lea@example.com, token: "sha256:...", roles: [reviewer]}   # toolgate reviewer new

# Tools, prompts and resources are offered once somebody has pinned them: toolgate trust orders
# pin_on_first_use: true   # or: what is seen first, and nothing is found in, is pinned by the gateway

policy: {path: ./policies}
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
def init(folder: Path) -> None:
    """Write toolgate.yaml and policies/starter.rego into FOLDER; never over an existing file."""
    starter = (STARTER_POLICY / "starter.rego").read_text("utf-8")
    written = {folder / "toolgate.yaml": CONFIG, folder / "policies" / "starter.rego": starter}
    taken = [path for path in written if path.exists()]
    if taken:
        raise ConfigurationError(
            f"{taken[0]} exists already", next_step="choose another folder: toolgate init FOLDER"
        )
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        click.echo(f"wrote {path}")
    config = folder / "toolgate.yaml"
    click.echo(f"next: name your servers in {config}, then: toolgate serve --config {config}")
    click.echo("then, for each of them: toolgate trust SERVER; agents are offered what you vouched for")
