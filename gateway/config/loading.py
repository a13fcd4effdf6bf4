"""From a file to ``Configuration``: paths resolved, variables filled in, every complaint with its row."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from gateway.config.document import Document, Place, expand_variables, read_document
from gateway.config.settings import Settings
from gateway.core.naming import is_upstream_id, look_alikes
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

_SERVER_KEYS = ("mcpServers", "servers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Settings with everything that depends on where the file lies worked out."""

    settings: Settings
    file: Path
    data: Path
    policy: Path | None
    """None: the starter policy that ships with toolgate."""
    notices: tuple[str, ...] = ()
    """Sentences the operator should read at start."""

    @property
    def shadow(self) -> bool:
        """Whether calls are only watched."""
        return self.settings.mode == "shadow"

    @property
    def pins_on_first_use(self) -> bool:
        """Whether what is new and clean is offered before a person has looked at it."""
        asked = self.settings.pin_on_first_use
        return self.shadow if asked is None else asked


def load_configuration(path: Path, environ: Mapping[str, str] | None = None) -> Configuration:
    """Read ``toolgate.yaml`` or any client's ``mcpServers`` file.

    Raises:
        ConfigurationError: every problem of the file in one text, one line each, and what to type next.
    """
    try:
        return _load(path, environ)
    except ConfigurationError as error:
        if error.next_step:
            raise
        step = f"mend the file, then: toolgate config check --config {path}"
        raise ConfigurationError(error.reason, next_step=step) from error


def _load(path: Path, environ: Mapping[str, str] | None) -> Configuration:
    document = read_document(path)
    notices: list[str] = []
    origins = _Origins(document)
    from_client = any(key in document.value for key in _SERVER_KEYS)
    if from_client:
        _refuse_mixture(document)
        servers = _from_client_file(document, notices, origins, environ)
        notices.append("this is a client's server list without policy: shadow mode, nothing is blocked")
        value: dict[str, Any] = {"upstreams": servers, "mode": "shadow"}
    else:
        value = dict(document.value)
        value["upstreams"] = expand_variables(
            document, ("upstreams",), _mapping(document, value.get("upstreams"), "upstreams"), environ
        )
        if "webhooks" in value:
            # An address or secret of a receiver belongs no more into the file than that of an upstream.
            value["webhooks"] = expand_variables(
                document, ("webhooks",), _mapping(document, value["webhooks"], "webhooks"), environ
            )
        imported = value.get("import")
        if isinstance(imported, str):
            other = read_document((path.parent / imported).resolve())
            servers = _from_client_file(other, notices, origins, environ)
            value["upstreams"] = {**servers, **value["upstreams"]}
            origins.forget(document.value.get("upstreams"))
    settings = _validated(value, origins)
    _refuse_look_alikes(settings, origins)
    _refuse_shared_tokens(document, settings)
    base = path.resolve().parent
    # A client's file may lie anywhere; our data goes where the command runs, never beside it.
    data = (Path.cwd() if from_client else base) / settings.data
    policy = (base / settings.policy.path).resolve() if settings.policy.path else None
    if policy is not None and not policy.exists():
        raise ConfigurationError(
            f"{document.where(('policy', 'path'))}: {policy} does not exist",
            next_step="create the folder, or leave policy.path out to use the starter policy",
        )
    return Configuration(
        settings=_anchored(settings, base),
        file=path.resolve(),
        data=data,
        policy=policy,
        notices=tuple(notices),
    )


class _Origins:
    """Where each setting was written: servers may come from another file, under another name."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._servers: dict[str, tuple[Document, Place]] = {}

    def note(self, upstream: str, document: Document, place: Place) -> None:
        self._servers[upstream] = (document, place)

    def forget(self, upstreams: Any) -> None:
        """The main file's own upstreams win over imported ones of the same name."""
        for name in upstreams or ():
            self._servers.pop(name, None)

    def where(self, location: Place) -> str:
        if location[:1] == ("upstreams",) and len(location) > 1 and location[1] in self._servers:
            document, place = self._servers[str(location[1])]
            return document.where((*place, *location[2:]))
        return self._document.where(location)


def _refuse_mixture(document: Document) -> None:
    # A client's file means shadow mode; somebody who also wrote policy or agents meant another thing.
    ours = [key for key in ("upstreams", "agents", "policy", "mode", "listen") if key in document.value]
    if ours:
        raise ConfigurationError(
            f"{document.where((ours[0],))}: {ours[0]} beside a client's server list",
            next_step="put the servers under upstreams, or name their file with import",
        )


def _refuse_look_alikes(settings: Settings, origins: _Origins) -> None:
    # Whoever reads a call reads the upstream's id; of two that look the same one could pass for the other.
    seen: dict[str, str] = {}
    for upstream in settings.upstreams:
        for key in look_alikes(upstream):
            other = seen.setdefault(key, upstream)
            if other != upstream:
                raise ConfigurationError(
                    f"{origins.where(('upstreams', upstream))}: {upstream!r} looks like {other!r}",
                    next_step="give one of them another name",
                )


def _refuse_shared_tokens(document: Document, settings: Settings) -> None:
    seen: dict[str, str] = {}
    tokens = [(("agents", index, "token"), one.name, one.token) for index, one in enumerate(settings.agents)]
    tokens += [
        (("reviewers", index, "token"), one.id, one.token) for index, one in enumerate(settings.reviewers)
    ]
    for place, name, token in tokens:
        other = seen.setdefault(token, name)
        if other is not name:
            verb = "reviewer" if place[0] == "reviewers" else "token"
            raise ConfigurationError(
                f"{document.where(place)}: {name} has the same token as {other}",
                next_step=f"toolgate {verb} new makes another one",
            )


def _mapping(document: Document, value: Any, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigurationError(f"{document.where((name,))}: {name} must be a mapping of names to settings")
    for key in value:
        if not is_upstream_id(key):
            raise ConfigurationError(
                f"{document.where((name, key))}: {key!r} cannot name an upstream: "
                "letters, digits, '-' and single '_', at most 32, not 'toolgate'"
            )
    return value


def _from_client_file(
    document: Document, notices: list[str], origins: _Origins, environ: Mapping[str, str] | None
) -> dict[str, Any]:
    key = next((one for one in _SERVER_KEYS if one in document.value), None)
    if key is None:
        raise ConfigurationError(f"{document.path}: has no mcpServers")
    servers = document.value[key]
    if not isinstance(servers, dict):
        raise ConfigurationError(f"{document.where((key,))}: {key} must be a mapping of names to servers")
    known = set(_upstream_members())
    found: dict[str, Any] = {}
    for name, entry in servers.items():
        upstream = _usable_id(name)
        if upstream in found:
            raise ConfigurationError(
                f"{document.where((key, name))}: two servers would both be called {upstream!r}"
            )
        if upstream != name:
            notices.append(f"server {name!r} is offered as {upstream!r}")
        if not isinstance(entry, dict):
            raise ConfigurationError(f"{document.where((key, name))}: a server must be a mapping")
        ignored = sorted(entry.keys() - known)
        if ignored:
            # Clients keep members of their own here; they are no mistake of the operator's.
            notices.append(
                f"server {name!r}: {', '.join(ignored)} means nothing to a gateway and is left out"
            )
        members = {member: value for member, value in entry.items() if member in known}
        if members.get("disabled") is True:
            notices.append(f"server {name!r} is disabled and left out")
            continue
        found[upstream] = expand_variables(document, (key, name), members, environ)
        origins.note(upstream, document, (key, name))
    return found


def _usable_id(name: str) -> str:
    if is_upstream_id(name):
        return name
    slug = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9_-]+", "-", name)).strip("-_")[:32].rstrip("-_")
    return slug if is_upstream_id(slug) else f"server-{slug}"[:32].rstrip("-_")


def _upstream_members() -> tuple[str, ...]:
    return tuple(Settings.model_fields["upstreams"].annotation.__args__[1].model_fields)  # type: ignore[union-attr]


def _validated(value: dict[str, Any], origins: _Origins) -> Settings:
    try:
        return Settings.model_validate(value)
    except ValidationError as error:
        lines = [_complaint(one, origins) for one in error.errors()]
        raise ConfigurationError(
            "\n".join(lines), next_step="toolgate config schema shows every setting"
        ) from error


def _complaint(error: ErrorDetails, origins: _Origins) -> str:
    location = error["loc"]
    name = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(location[-1]), _members_at(location[:-1]), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{origins.where(location)}: unknown setting {name}{hint}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{origins.where(location)}: {name}: {message}"


def _members_at(location: tuple[int | str, ...]) -> list[str]:
    """Known keys of the settings model at a place, for the nearest-name hint."""
    model: type[BaseModel] = Settings
    for part in location:
        named = {field.alias or name: field for name, field in model.model_fields.items()}
        field = named.get(str(part))
        if field is None:
            continue
        inner = _models_in(field.annotation)
        if inner:
            model = inner[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for one in getattr(annotation, "__args__", ()) for model in _models_in(one)]


def _anchored(settings: Settings, base: Path) -> Settings:
    """Working directories of child processes are meant relative to the file that names them."""
    upstreams = {
        name: one.model_copy(update={"cwd": str((base / (one.cwd or ".")).resolve())}) if one.command else one
        for name, one in settings.upstreams.items()
    }
    return settings.model_copy(update={"upstreams": upstreams})
