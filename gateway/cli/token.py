"""``toolgate token new``: a token for the agent, its hash for the file."""

from __future__ import annotations

import secrets

import click


@click.group()
def token() -> None:
    """Make an access token for an agent."""


@token.command()
def new() -> None:
    """Print a new random token and the hash that goes into toolgate.yaml."""
    from gateway.identity.tokens import new_token, token_hash

    made = new_token(secrets.token_bytes(32))
    click.echo(f"token (give it to the agent, it is stored nowhere): {made}")
    click.echo(f"hash  (agents: token:):                             {token_hash(made)}")
