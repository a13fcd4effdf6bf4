"""From the terminal to the people port: a reviewer's token, one request at a time, refusals as said.

The token comes from the environment or is asked for. It is never an argument, which every process of the
machine could read, and never written anywhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

import yarl
from pydantic import BaseModel, ValidationError

from gateway.background import Background
from gateway.cli.variables import AnyVariable
from gateway.config.loading import load_configuration
from gateway.egress import Destination, Egress, EgressSettings
from gateway.errors import ConfigurationError
from gateway.people.models import ErrorAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.people.models import ErrorDetail

TOKEN_VARIABLE = "TOOLGATE_REVIEWER_TOKEN"
AGENT_TOKEN_VARIABLE = "TOOLGATE_TOKEN"

ANSWER_BYTES_MAX = 64 << 20
DEADLINE_S = 60.0
EXIT_PROBLEM = 2
EXIT_SOMEBODY_ELSE = 3
"""Somebody or something was first: what was decided about is no longer what is held."""

PREFIX = "/api/v1"

_FIRST = frozenset(
    {"hold_wrong_status", "hold_changed", "hold_seen_stale", "hold_claimed", "pin_stale", "pin_wrong_state"}
)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_TOKEN = re.compile(r"[!-~]{1,4096}")

Model = TypeVar("Model", bound=BaseModel)


class TurnedAway(Exception):
    """The people port refused, and said why."""

    def __init__(self, detail: ErrorDetail) -> None:
        """Keep what it said."""
        super().__init__(detail.message)
        self.detail = detail

    @property
    def exit_code(self) -> int:
        """Whether to look again or to do something about it."""
        return EXIT_SOMEBODY_ELSE if self.detail.code in _FIRST else EXIT_PROBLEM


class PeoplePort:
    """Who we are there, and where it is. Each request ends before the next: people think in between."""

    def __init__(self, url: str, token: str) -> None:
        """``url`` is an origin; both have been looked at by ``people_port``."""
        self.url = url
        self._token = token

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """What a path answers.

        Raises:
            TurnedAway: the port refused.
            GatewayError: it cannot be reached, or does not answer as toolgate does.
        """
        return asyncio.run(self._ask("GET", path + (f"?{urlencode(query)}" if query else ""), None))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """What a path answers to this body; raises as ``get`` does."""
        return asyncio.run(self._ask("POST", path, dict(body)))

    def sheet(self, prefix: str) -> Any:
        """Everything about the hold whose id begins like this; looking is recorded there."""
        return self.get(f"/holds/{id_in_path(prefix)}")

    def destination(self, path: str) -> Destination:
        """A path of the API as somewhere to send to."""
        return Destination(
            party="the people port",
            next_step="start the gateway with: toolgate serve",
            url=yarl.URL(self.url + PREFIX + path, encoded=True),
            headers={"Authorization": f"Bearer {self._token}"},
        )

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        async with (
            Background(on_failure=lambda _name, _error: None) as background,
            Egress(EgressSettings(), clock=time.monotonic, start_task=background.start) as egress,
            egress.exchange(
                self.destination(path),
                method,
                headers=headers,
                deadline_s=DEADLINE_S,
                body=b"" if body is None else json.dumps(body).encode(),
                body_bytes_max=ANSWER_BYTES_MAX,
            ) as answer,
        ):
            return said(answer.status, await answer.read())


def said(status: int, content: bytes) -> Any:
    """The JSON of an answer.

    Raises:
        TurnedAway: it is a refusal.
        ConfigurationError: it is not toolgate's.
    """
    try:
        value = json.loads(content)
        if status == 200:
            return value
        refusal = ErrorAnswer.model_validate(value)
    except ValueError as error:  # of json, and of pydantic
        raise ConfigurationError(
            f"the people port answered {status}, but not as toolgate does",
            next_step="check --url, or listen.people in the configuration",
        ) from error
    raise TurnedAway(refusal.error)


def read(model: type[Model], value: Any) -> Model:
    """An answer as what it is.

    Raises:
        ConfigurationError: it is something else, for example of another release.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigurationError(
            "the people port answered something that this release of toolgate cannot read",
            next_step="compare toolgate --version here and at the gateway",
        ) from error


def id_in_path(text: str) -> str:
    """An id or the beginning of one, as it may stand in a path.

    Raises:
        ConfigurationError: no id looks like that.
    """
    if not _ID.fullmatch(text):
        raise ConfigurationError(
            "that is not the id of a held call", next_step="list them with: toolgate approvals ls"
        )
    return text


def people_url(config_path: Path, url: str | None) -> str:
    """The origin to send to: the given one, or where the configuration says that people are served.

    Raises:
        ConfigurationError: it is no origin, or the token would be sent where others can read it.
    """
    if url is None:
        # Nothing is taken from the file but an address, so unset variables must not stop it.
        url = f"http://{load_configuration(config_path, environ=AnyVariable()).settings.listen.people}"
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ConfigurationError("--url must be an address like https://toolgate.example.com")
    if url.rstrip("/") != origin:
        raise ConfigurationError(f"--url must be only scheme, host and port: {origin}")
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise ConfigurationError(
            f"{origin} would get the reviewer's token in the clear", next_step="use https:// there"
        )
    return origin


def checked_token(text: str) -> str:
    """A token as it may stand in a header.

    Raises:
        ConfigurationError: there is none, or something else was pasted.
    """
    token = text.strip()
    if not _TOKEN.fullmatch(token):
        raise ConfigurationError(
            "no reviewer token was given" if not token else "that is not a reviewer token",
            next_step=f"run it in a terminal, which asks for it, or set {TOKEN_VARIABLE} for it alone",
        )
    return token


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
