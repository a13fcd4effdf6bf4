"""YAML or JSON text to a plain value that remembers where each member stood."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_BYTES_MAX = 1 << 20

_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_ASKED_BY_EDITOR = re.compile(r"\$\{(input|command):[^}]*\}")

Place = tuple[str | int, ...]
"""The path of a member inside the document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file: its value, and the row and column of every member."""

    path: Path
    value: dict[str, Any]
    marks: Mapping[Place, tuple[int, int]] = field(default_factory=dict)

    def where(self, place: Place) -> str:
        """``file:row:column`` of a member, or of its nearest known ancestor."""
        while place and place not in self.marks:
            place = place[:-1]
        row, column = self.marks.get(place, (1, 1))
        return f"{self.path}:{row}:{column}"


def read_document(path: Path) -> Document:
    """Read one configuration file.

    Raises:
        ConfigurationError: missing, unreadable, too large, not YAML or JSON, duplicate keys; with
            file, row, column and what to do.
    """
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise ConfigurationError(f"{path}: {size} bytes is larger than the {FILE_BYTES_MAX} allowed")
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path}: no such file", next_step="toolgate init, or name the file with --config"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    marks: dict[Place, tuple[int, int]] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = _value(node, (), marks, path) if node is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigurationError(f"{path}{at}: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not YAML or JSON: {_first_line(error)}") from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"{path}:1:1: the file must be a mapping of settings")
    return Document(path=path, value=value, marks=marks)


def _value(node: yaml.Node, place: Place, marks: dict[Place, tuple[int, int]], path: Path) -> Any:
    marks.setdefault(place, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        members: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            at = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key in members:
                raise ConfigurationError(f"{path}:{at[0]}:{at[1]}: {key!r} is given twice")
            marks[(*place, key)] = at
            members[key] = _value(value_node, (*place, key), marks, path)
        return members
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*place, index), marks, path) for index, item in enumerate(node.value)]
    # SafeLoader's own resolution of plain scalars: numbers, booleans, null; no YAML 1.1 surprises
    # are removed, because a setting of another type is reported with its row anyway.
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)
    except ValueError as error:  # a date or number that looks like one and is none
        row, column = marks[place]
        raise ConfigurationError(f"{path}:{row}:{column}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def expand_variables(
    document: Document, place: Place, value: Any, environ: Mapping[str, str] | None = None
) -> Any:
    """Replace ``${env:NAME}`` (also ``${NAME}``, and ``:-default``) in every string below ``place``.

    Raises:
        ConfigurationError: a variable is not set and has no default, or only an editor could fill it in.
    """
    variables = os.environ if environ is None else environ
    if isinstance(value, dict):
        return {
            key: expand_variables(document, (*place, key), item, variables) for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            expand_variables(document, (*place, index), item, variables) for index, item in enumerate(value)
        ]
    if not isinstance(value, str):
        return value

    def one(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        found = variables.get(name, default)
        if found is None:
            raise ConfigurationError(
                f"{document.where(place)}: environment variable {name} is not set",
                next_step=f"export {name}=... and start again",
            )
        return found

    asked = _ASKED_BY_EDITOR.search(value)
    if asked is not None:
        raise ConfigurationError(
            f"{document.where(place)}: {asked.group(0)} is asked for by an editor; nobody is asked here",
            next_step="use ${env:NAME} in its place and export the value",
        )
    return _VARIABLE.sub(one, value)
