"""What an operator says about one upstream; also reads an ``mcpServers`` entry of a client's file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.core.capabilities import Grant

if TYPE_CHECKING:
    from collections.abc import Iterator

EraSetting = Literal["auto", "modern", "legacy"]

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")

# Decided by the connection for each request; a configured copy would disagree with the body.
_OURS = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


_SECRET_NAME = re.compile(r"auth|cookie|token|key|secret|password|passwd|credential", re.IGNORECASE)


class UpstreamSettings(BaseModel):
    """One tool server: exactly one of ``url`` and ``command``, and its bounds."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    type: Literal["http", "streamable-http", "stdio", "sse"] | None = Field(
        None, description="as in mcpServers files"
    )
    url: str | None = Field(None, description="endpoint of an HTTP upstream")
    headers: dict[str, str] = Field(
        {}, repr=False, description="sent with every request to this upstream only"
    )
    command: tuple[str, ...] = Field(
        (), description="program and arguments of a child process, never a shell line"
    )
    args: tuple[str, ...] = Field((), description="further arguments, as in mcpServers files")
    env: dict[str, str] = Field({}, repr=False, description="added to the few variables a child inherits")
    cwd: str | None = Field(None, description="working directory of the child")
    disabled: bool = Field(False, description="known, but not connected")

    read_only: tuple[str, ...] = Field((), description="tools the operator states to change nothing")
    idempotent: tuple[str, ...] = Field((), description="tools the operator states to be safe to repeat")
    grants: tuple[Grant, ...] = Field(
        (), description="what the server may ask of an agent's side: sampling, elicitation, roots"
    )
    links: tuple[str, ...] = Field(
        (), description="URIs that its results may link to besides its own; * stands for any characters"
    )
    era: EraSetting = Field("auto", description="protocol era; auto asks the upstream")

    connect_timeout_s: float = Field(5, gt=0, le=60, description="to an established connection, TLS included")
    probe_timeout_s: float = Field(5, gt=0, le=60, description="for the answer to server/discover")
    start_timeout_s: float = Field(60, gt=0, le=600, description="for a child process to answer initialize")
    call_timeout_s: float = Field(60, gt=0, le=86_400, description="upper bound of one request")
    input_timeout_s: float = Field(
        300, gt=0, le=3600, description="how long what the server asked of an agent's side may take"
    )
    list_timeout_s: float = Field(
        15, gt=0, le=600, description="for initialize over HTTP, and for each page of tools/list"
    )
    answer_bytes_max: int = Field(10 << 20, ge=1024, description="one answer, its event stream included")
    answer_elements_max: int = Field(
        200_000, ge=100, description="members and array elements of one answer, all levels together"
    )
    tools_max: int = Field(
        1000, ge=1, description="tools over all pages; likewise prompts, resources, templates"
    )
    pages_max: int = Field(100, ge=1, description="pages of one list")
    sessions_max: int = Field(256, ge=1, description="legacy sessions kept open at once")
    session_idle_s: float = Field(600, gt=0, description="an unused legacy session is ended after this")
    children_max: int = Field(
        8, ge=1, description="further child processes, one for each caller that the server may ask"
    )
    stderr_bytes_max: int = Field(64 << 10, ge=0, description="of a child's last words kept for error texts")
    noise_lines_max: int = Field(
        10_000, ge=1, description="lines of a child that answer nothing, between two answers"
    )

    @field_validator("command", mode="before")
    @classmethod
    def _one_program(cls, value: object) -> object:
        # mcpServers files give the program alone. It is one word: splitting it would be a shell.
        return (value,) if isinstance(value, str) else value

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        seen: set[str] = set()
        for name, value in headers.items():
            key = name.lower()
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"header {name!r} has characters that HTTP does not allow")
            if key in _OURS or key.startswith("mcp-param-"):
                raise ValueError(f"header {name!r} is set by the gateway for each request; remove it")
            if key in seen:
                raise ValueError(f"header {name!r} is given twice")
            seen.add(key)
        return headers

    @field_validator("url")
    @classmethod
    def _plain_endpoint(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        # Asking for the port is what finds out that it is none.
        plain = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        if not plain or re.search(r"\s", url):
            raise ValueError("`url` must be http://host[:port]/path or https://...")
        if parts.username is not None or parts.password is not None:
            raise ValueError("`url` must not carry a user or password; use `headers`")
        if parts.fragment:
            raise ValueError("`url` must not have a #fragment")
        return url

    @field_validator("command", "args")
    @classmethod
    def _passable(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if any("\0" in word for word in words):
            raise ValueError("an argument cannot contain a NUL character")
        return words

    @field_validator("env")
    @classmethod
    def _exportable(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not name or "=" in name or "\0" in name + value:
                raise ValueError(f"environment variable {name!r} cannot be passed to a process")
        return env

    @model_validator(mode="after")
    def _one_transport(self) -> Self:
        if self.type == "sse":
            raise ValueError(
                "`type: sse` (two-endpoint HTTP+SSE, 2024-11-05) is not carried; "
                "most such servers also serve streamable HTTP: give that `url` with `type: http`"
            )
        if bool(self.url) == bool(self.command):
            raise ValueError("give exactly one of `url` and `command`")
        if self.command and not self.command[0]:
            raise ValueError("`command` must name a program")
        if self.url and self.type == "stdio":
            raise ValueError("`type: stdio` needs `command`, not `url`")
        if self.command and self.type in {"http", "streamable-http"}:
            raise ValueError(f"`type: {self.type}` needs `url`, not `command`")
        stray = [name for name in ("args", "env", "cwd") if self.url and getattr(self, name)]
        stray += ["headers"] if self.command and self.headers else []
        if stray:
            raise ValueError(f"`{stray[0]}` has no meaning for this kind of upstream; remove it")
        return self

    def secret_headers(self) -> Iterator[str]:
        """Values of headers that open something at this upstream, as far as their names say so."""
        yield from (value for name, value in self.headers.items() if _SECRET_NAME.search(name))

    def secret_variables(self) -> Iterator[str]:
        """The same of the variables of a child process."""
        yield from (value for name, value in self.env.items() if _SECRET_NAME.search(name))
