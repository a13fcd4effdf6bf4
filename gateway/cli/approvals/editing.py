"""Other arguments in place of the agent's: from options, a file or an editor, read as strictly as a call."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.approvals.client import TOKEN_VARIABLE
from gateway.core.strict_json import read_json
from gateway.core.visible_text import Kind, Piece, pieces, visible
from gateway.errors import ConfigurationError, InvalidParams, MalformedMessage
from gateway.people.sheet.looking import FOREIGN_MARKER
from gateway.people.sheet.values import Unreadable, leaves_of, parts_of, pointer_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.cli.approvals.terminal import Terminal
    from gateway.people.sheet_models import HoldSheetModel

EDITOR = "vi"
FILE_BYTES_MAX = 1 << 20

_MARKER = re.compile(r"\[REDACTED:[^\]]*\]")


def edited(sheet: HoldSheetModel, settings: tuple[str, ...]) -> dict[str, Any]:
    """The arguments with some values set.

    Args:
        sheet: of the call.
        settings: ``/pointer=VALUE`` each; a value that is JSON is JSON, anything else is text.

    Raises:
        ConfigurationError: it cannot be set.
    """
    arguments = arguments_now(sheet)
    for setting in settings:
        pointer, separator, value = setting.partition("=")
        if not separator:
            raise ConfigurationError(
                f"{setting!r} is not /NAME=VALUE", next_step="for example --set /amount=50"
            )
        _set(arguments, pointer, _value(value))
    return arguments


def arguments_now(sheet: HoldSheetModel) -> dict[str, Any]:
    """What would run, secrets replaced by markers.

    Raises:
        ConfigurationError: it cannot be looked at, so it cannot be edited either.
    """
    if not sheet.uninspectable:
        value = _read(sheet.arguments_text.encode("utf-8", "replace"), "the arguments")
        if isinstance(value, dict):
            return value
    raise ConfigurationError(
        f"it cannot be looked at, so it cannot be edited: {visible(sheet.uninspectable or 'no object')}"
    )


def from_file(path: Path) -> dict[str, Any]:
    """A file's JSON object.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from error
    if len(text) > FILE_BYTES_MAX:
        raise ConfigurationError(f"{path}: over {FILE_BYTES_MAX} bytes")
    return _object(text, str(path))


def in_editor(sheet: HoldSheetModel, terminal: Terminal, environ: Mapping[str, str]) -> dict[str, Any]:
    """What a person makes of the arguments in their editor; what is not one object can be mended.

    Raises:
        ConfigurationError: there is no editor, or they gave up.
    """
    text = editor_text(arguments_now(sheet))
    with tempfile.TemporaryDirectory(prefix="toolgate-") as folder:  # 0700
        path = Path(folder, "arguments.json")
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        while True:
            _run_editor(path, environ)
            try:
                return from_file(path)
            except ConfigurationError as error:
                terminal.say(error.reason, "bold red")
                if terminal.ask("Type again to go back to it: ") != "again":
                    raise


def editor_text(value: Any) -> str:
    """JSON to edit: whatever would not be seen stands there as an escape."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(map(_editable, pieces(text))) + "\n"


def refuse_markers(sheet: HoldSheetModel, arguments: dict[str, Any]) -> None:
    """A marker stands for a secret only where it is shown; sent back, it would be sent to the tool as it is.

    Raises:
        ConfigurationError: there is one.
    """
    hidden = {one.pointer for one in sheet.redactions if one.kind != FOREIGN_MARKER}
    shown = {leaf.path: leaf for leaf in leaves_of(sheet.arguments_text) if pointer_of(leaf.path) in hidden}
    sent = {leaf.path: leaf for leaf in leaves_of(json.dumps(arguments))}
    unchanged = any(sent.get(path) == leaf for path, leaf in shown.items())
    if unchanged or (hidden and _MARKER.search(json.dumps(arguments))):
        raise ConfigurationError(
            "the arguments hold a secret that is not shown; its marker would be sent to the tool",
            next_step="set those values too, or deny the call with a reason",
        )


def _editable(piece: Piece) -> str:
    # Outside strings JSON has line feeds and spaces; inside it has escapes for line feeds. The names of
    # scripts, which have nothing behind them, are no part of it.
    if piece.kind in {Kind.PLAIN, Kind.BREAK, Kind.SPACES}:
        return piece.raw
    units = piece.raw.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _run_editor(path: Path, environ: Mapping[str, str]) -> None:
    editor = shlex.split(environ.get("VISUAL") or environ.get("EDITOR") or EDITOR)
    # An editor runs plug-ins; none of them needs to be able to decide.
    without = {name: value for name, value in environ.items() if name != TOKEN_VARIABLE}
    try:
        done = subprocess.run([*editor, str(path)], env=without, check=False)  # noqa: S603 - the person's own editor
    except OSError as error:
        raise ConfigurationError(
            f"the editor {editor[0]!r} cannot be started: {error.strerror or error}",
            next_step="set EDITOR, or use --set or --file",
        ) from error
    if done.returncode:
        raise ConfigurationError(f"the editor ended with {done.returncode}; nothing was sent")


def _value(text: str) -> Any:
    try:
        return read_json(text.encode())
    except MalformedMessage:
        return text
    except InvalidParams as error:
        raise ConfigurationError(f"{text[:64]!r}: {error.reason}") from error


def _object(text: bytes, name: str) -> dict[str, Any]:
    value = _read(text, name)
    if not isinstance(value, dict):
        raise ConfigurationError(f"{name}: must be one JSON object")
    return value


def _read(text: bytes, name: str) -> Any:
    try:
        return read_json(text)
    except (MalformedMessage, InvalidParams) as error:
        raise ConfigurationError(f"{name}: {visible(error.reason)}", next_step=error.next_step) from error


def _set(arguments: dict[str, Any], pointer: str, value: Any) -> None:
    try:
        *above, last = parts_of(pointer)
    except (Unreadable, ValueError) as error:
        raise ConfigurationError(
            f"{pointer!r} is not a JSON Pointer to a value", next_step="for example --set /amount=50"
        ) from error
    holder: Any = arguments
    for part in above:
        holder = _inside(holder, part, pointer)
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list) and last in {"-", str(len(holder))}:
        holder.append(value)
    elif isinstance(holder, list) and _position(last) < len(holder):
        holder[_position(last)] = value
    else:
        raise ConfigurationError(f"{pointer!r}: there is nothing to set it in")


def _inside(holder: Any, part: str, pointer: str) -> Any:
    if isinstance(holder, dict) and part in holder:
        return holder[part]
    if isinstance(holder, list) and _position(part) < len(holder):
        return holder[_position(part)]
    raise ConfigurationError(f"{pointer!r}: there is nothing at {part!r}")


def _position(part: str) -> int:
    # Beyond every list where it is none.
    return int(part) if re.fullmatch(r"0|[1-9][0-9]{0,8}", part) else 1 << 31
