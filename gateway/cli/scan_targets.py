"""From files and URLs on the command line to servers that can be asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import ValidationError

from gateway.config.loading import load_configuration
from gateway.errors import ConfigurationError
from gateway.upstream.settings import UpstreamSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

_URL = re.compile(r"https?://", re.IGNORECASE)
_POLICY_NOTICE = "shadow mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One server to be scanned."""

    name: str
    """Unlike that of every other target."""
    origin: str
    """The file or the URL that it was named by."""
    settings: UpstreamSettings


def targets_of(sources: Sequence[str], headers: Sequence[str]) -> tuple[list[Target], list[str]]:
    """Every server that the sources name, and what a person should know about the files.

    Raises:
        ConfigurationError: a file cannot be read, or a URL is none.
    """
    given = dict(_header(one) for one in headers)
    targets: list[Target] = []
    notices: list[str] = []
    for source in sources:
        if _URL.match(source):
            found = [_from_url(source, given)]
        else:
            configuration = load_configuration(Path(source))
            # Without policy nothing is blocked, but here nothing is called either.
            notices += [notice for notice in configuration.notices if _POLICY_NOTICE not in notice]
            found = [
                Target(name=name, origin=source, settings=settings)
                for name, settings in configuration.settings.upstreams.items()
                if not settings.disabled
            ]
            if not found:
                notices.append(f"{source}: names no server")
        targets += [_named_apart(one, targets) for one in found]
    return targets, notices


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        # Never the text itself: it may be a secret with its name forgotten.
        raise ConfigurationError("a --header is not NAME=VALUE")
    return name, value


def _from_url(url: str, headers: dict[str, str]) -> Target:
    try:
        settings = UpstreamSettings.model_validate({"url": url, "headers": headers})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(
            f"a server cannot be scanned: {reason}", next_step="toolgate scan https://host/mcp"
        ) from None
    return Target(name=urlsplit(url).netloc, origin=url.partition("?")[0], settings=settings)


def _named_apart(target: Target, others: Sequence[Target]) -> Target:
    taken = {one.name for one in others}
    name, number = target.name, 2
    while name in taken:
        name, number = f"{target.name}#{number}", number + 1
    return replace(target, name=name)
