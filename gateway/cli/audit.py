"""``toolgate audit``: the log, read from its segments while the gateway runs, and what people add to it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_option, json_option
from gateway.cli.people_verbs import erase, resolve
from gateway.cli.text import safe
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from durable.audit.reading import Entry

FOLLOW_S = 0.3


@click.group()
def audit() -> None:
    """Read the audit log. Argument and result values are sealed; entries commit to them."""


@audit.command()
@config_option
@json_option
@click.option("-n", "count", default=20, show_default=True, type=click.IntRange(0), help="how many entries")
@click.option("--follow", "-f", is_flag=True, help="go on as entries arrive")
@click.option("--tenant", help="only this tenant's entries")
def tail(config_path: Path, count: int, tenant: str | None, *, follow: bool, as_json: bool) -> None:
    """Print the newest entries."""
    from durable.audit import reading

    data = _data(config_path)
    newest = list(reading.tail(data, tenant=tenant))
    last = newest[-1].seq if newest else -1
    for entry in newest[-count:] if count else []:
        _print(entry, as_json=as_json)
    while follow:
        time.sleep(FOLLOW_S)
        for entry in reading.tail(data, last, tenant=tenant):
            last = entry.seq
            _print(entry, as_json=as_json)


@audit.command()
@click.argument("call")
@config_option
@json_option
def show(call: str, config_path: Path, *, as_json: bool) -> None:
    """Everything the log says about one CALL or held call; the beginning of its id is enough."""
    from durable.audit import reading
    from durable.errors import AmbiguousCall, UnknownCall

    data = _data(config_path)
    try:
        try:
            entries = reading.show(data, call).entries
        except UnknownCall:
            entries = reading.story(data, call)
    except AmbiguousCall as error:
        raise ConfigurationError(
            error.reason, next_step="toolgate audit show " + error.candidates[0]
        ) from error
    except UnknownCall as error:
        raise ConfigurationError(
            f"no call and no held call begins with {call!r}", next_step="toolgate audit tail"
        ) from error
    for entry in entries:
        if as_json:
            click.echo(json.dumps(_as_object(entry)))
        else:
            _print_whole(entry)


@audit.command()
@config_option
@json_option
def unresolved(config_path: Path, *, as_json: bool) -> None:
    """Allowed calls without outcome: they may have happened. Those still running are among them."""
    from durable.audit import reading

    found = reading.unresolved(_data(config_path))
    for intent in found:
        if as_json:
            click.echo(
                json.dumps(
                    {"call": intent.call, "at": intent.at, "tool": intent.tool, "subject": intent.subject}
                )
            )
        else:
            click.echo(
                safe(f"{intent.at}  {intent.call[:12]}  {intent.tool}  {intent.subject}  may have happened")
            )
    if not found and not as_json:
        click.echo("none: every allowed call has its outcome")


audit.add_command(resolve)
audit.add_command(erase)


@audit.command(name="rotate-key")
@config_option
def rotate_key(config_path: Path) -> None:
    """Wrap the keys of sealed values with a new master key. The gateway must not run meanwhile."""
    import secrets

    from durable.audit.rotation import rotate_master_key
    from durable.errors import DurableError
    from gateway.data import KEYS, MASTER_KEY

    data = _data(config_path)
    path = data / KEYS / MASTER_KEY
    try:
        count = rotate_master_key(data, path, random_bytes=secrets.token_bytes)
    except DurableError as error:
        raise ConfigurationError(error.reason, next_step=error.next_step) from error
    click.echo(
        f"{count} keys are wrapped with a new master key in {path}; older copies of it open nothing new"
    )


def _data(config_path: Path) -> Path:
    from gateway.config.loading import load_configuration

    data = load_configuration(config_path, environ=_Anything()).data
    if not (data / "audit").is_dir():
        raise ConfigurationError(
            f"no audit log in {data} yet", next_step=f"toolgate serve --config {config_path}"
        )
    return data


class _Anything(dict[str, str]):
    """Reading the log needs no credentials, so unset variables must not stop it."""

    def get(self, key: str, default: Any = None) -> Any:
        """Any variable counts as set."""
        return default if default is not None else ""


def _as_object(entry: Entry) -> dict[str, Any]:
    head = {"seq": entry.seq, "at": entry.at, "kind": entry.kind, "tenant": entry.tenant}
    return {**head, **entry.members, "payloads": entry.payloads}


def _print(entry: Entry, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_object(entry)))
    else:
        click.echo(safe(f"{entry.seq:>6}  {entry.at}  {entry.kind:<16} {_summary(entry.members)}"))


def _summary(members: dict[str, Any]) -> str:
    call = str(members.get("call", ""))[:12]
    words = [
        call,
        str(members.get("tool") or f"{members.get('method', '')} {members.get('target', '')}".strip()),
        str(members.get("effect", "")),
        str(members.get("event") or members.get("status", "")),
    ]
    if members.get("event"):
        words.append(f"by {members.get('actor', '')}")
    if members.get("hold"):
        words.append(f"hold {str(members['hold'])[:12]}")
    if members.get("would"):
        words.append(f"(would {members['would']})")
    words += [str(members.get("code", "")), str(members.get("subject", ""))]
    if "duration_us" in members:
        words.append(f"{members['duration_us'] / 1000:.1f} ms")
    if not call:
        words = [f"{name}={json.dumps(value)}" for name, value in members.items()]
    return "  ".join(word for word in words if word)


def _print_whole(entry: Entry) -> None:
    click.echo(safe(f"{entry.kind} at {entry.at} (entry {entry.seq})"))
    for name, value in entry.members.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if shown not in {"", "[]", "{}"}:
            click.echo(safe(f"  {name:<12} {shown}"))
    for name, commitment in entry.payloads.items():
        shown = f"sealed, {commitment.get('bytes')} bytes, commitment {commitment.get('sha256', '')[:16]}"
        click.echo(safe(f"  {name:<12} {shown}"))
