"""base64*, hex, JSON text, YAML, urlquery: text to text, or to values and back."""

from __future__ import annotations

import base64
import binascii
import json
import urllib.parse
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import re2
import yaml

from policies.engines.ir.builtins.operands import object_, string
from policies.engines.ir.builtins.registry import builtin, by_text
from policies.engines.ir.errors import BuiltinError, OperandError
from policies.engines.ir.numbers import parse_number
from policies.engines.ir.values import RegoSet, Value, from_json, json_text, key_value, sort, to_json

if TYPE_CHECKING:
    from policies.engines.ir.evaluation import Evaluation

DEPTH_MAX: Final = 200
"""Of JSON and YAML parsed out of a string. A string that nests deeper is refused."""


def _by_parsing(text: Value) -> int:
    return 1 + len(text) // 8 if type(text) is str else 1


def _by_yaml(text: Value) -> int:
    return 200 + 16 * len(text) if type(text) is str else 1


def _utf8(data: bytes) -> str:
    # Go keeps any bytes in a string. Here a string is Unicode: other bytes show as U+FFFD.
    return data.decode("utf-8", "replace")


@builtin("base64.encode", cost=by_text)
def base64_encode(text: Value) -> Value:
    """Standard alphabet, padded."""
    return base64.b64encode(string(text, 1).encode()).decode()


@builtin("base64.decode", cost=by_text)
def base64_decode(text: Value) -> Value:
    """Standard alphabet, padding required, line breaks ignored."""
    return _utf8(_decode64(string(text, 1), None))


@builtin("base64.is_valid", cost=by_text)
def base64_is_valid(text: Value) -> Value:
    """Whether ``base64.decode`` takes it."""
    try:
        return type(text) is str and _decode64(text, None) is not None
    except BuiltinError:
        return False


@builtin("base64url.encode", cost=by_text)
def base64url_encode(text: Value) -> Value:
    """URL alphabet, padded."""
    return base64.urlsafe_b64encode(string(text, 1).encode()).decode()


@builtin("base64url.encode_no_pad", cost=by_text)
def base64url_encode_no_pad(text: Value) -> Value:
    """URL alphabet, no padding."""
    return base64url_encode(text).rstrip("=")


@builtin("base64url.decode", cost=by_text)
def base64url_decode(text: Value) -> Value:
    """URL alphabet, with or without padding."""
    return _utf8(decode_base64url(string(text, 1)))


def decode_base64url(text: str) -> bytes:
    """The bytes; raises BuiltinError."""
    if not text.endswith("="):
        text += "=" * (-len(text) % 4)
    return _decode64(text, b"-_")


def _decode64(text: str, alphabet: bytes | None) -> bytes:
    text = text.replace("\r", "").replace("\n", "")
    if alphabet and ("+" in text or "/" in text):
        raise BuiltinError("illegal base64 data")
    try:
        return base64.b64decode(text, altchars=alphabet, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BuiltinError("illegal base64 data") from exc


@builtin("hex.encode", cost=by_text)
def hex_encode(text: Value) -> Value:
    """Two digits per byte of the text as UTF-8."""
    return string(text, 1).encode().hex()


@builtin("hex.decode", cost=by_text)
def hex_decode(text: Value) -> Value:
    """The text whose bytes these digits are."""
    try:
        return _utf8(binascii.unhexlify(string(text, 1)))
    except (binascii.Error, ValueError) as exc:
        raise BuiltinError("not hexadecimal") from exc


@builtin("urlquery.encode", cost=by_text)
def urlquery_encode(text: Value) -> Value:
    """Escaped for a query; space becomes ``+``."""
    return urllib.parse.quote_plus(string(text, 1), safe="~")


@builtin("urlquery.decode", cost=by_text)
def urlquery_decode(text: Value) -> Value:
    """The reverse."""
    return _unquote(string(text, 1))


# A percent sign that two hexadecimal digits do not follow.
_BAD_ESCAPE: Final = re2.compile(r"%(?:[^0-9a-fA-F]|[0-9a-fA-F][^0-9a-fA-F]|[0-9a-fA-F]?$)")


def _unquote(text: str) -> str:
    if "%" in text and _BAD_ESCAPE.search(text):
        raise BuiltinError("invalid URL escape")
    return urllib.parse.unquote_plus(text)


@builtin("urlquery.encode_object", evaluation=True)
def urlquery_encode_object(run: Evaluation, value: Value) -> Value:
    """A query from an object of strings, or of arrays or sets of strings."""
    pairs: list[tuple[str, str]] = []
    for key, member in object_(value, 1).items():
        name = key if type(key) is str else json_text(key_value(key), run)
        found = [member] if type(member) is str else member
        if type(found) is RegoSet:
            found = sort(found, run)
        if type(found) is not list or any(type(v) is not str for v in found):
            raise OperandError(1, "values must be string, array[string], or set[string]")
        run.charge(1 + len(found) + sum(map(len, found)) // 16)
        pairs += [(name, v) for v in found]
    return urllib.parse.urlencode(sorted(pairs, key=lambda pair: pair[0]), safe="~")


@builtin("urlquery.decode_object", cost=_by_parsing)
def urlquery_decode_object(text: Value) -> Value:
    """An object of arrays of strings from a query."""
    found: dict[str, list[str]] = {}
    for piece in string(text, 1).split("&"):
        if ";" in piece:
            raise BuiltinError("invalid semicolon separator in query")
        if piece:
            key, _, value = piece.partition("=")
            found.setdefault(_unquote(key), []).append(_unquote(value))
    return found


@builtin("json.marshal", evaluation=True)
def json_marshal(run: Evaluation, value: Value) -> Value:
    """Compact JSON text."""
    return json_text(value, run)


@builtin("json.marshal_with_options", evaluation=True)
def json_marshal_with_options(run: Evaluation, value: Value, options: Value) -> Value:
    """JSON text; ``pretty``, ``indent`` and ``prefix`` say how."""
    indent, prefix, pretty = "\t", "", None
    for key, option in object_(options, 2).items():
        expected = bool if key == "pretty" else str if key in {"indent", "prefix"} else None
        if type(option) is not expected:
            raise OperandError(2, f"key {key} is unknown or has the wrong type")
    indent = options.get("indent", indent)
    prefix = options.get("prefix", prefix)
    pretty = options.get("pretty", "indent" in options or "prefix" in options)
    if not pretty:
        return json_text(value, run)
    lines = _indented(value, run, prefix, indent, 0)
    run.charge(len(lines) // 16)
    return prefix + lines


def _indented(value: Value, run: Evaluation, prefix: str, indent: str, depth: int) -> str:
    kind = type(value)
    if kind not in {list, dict, RegoSet} or not len(value):
        return json_text(value, run)
    run.charge(len(value) * (1 + (len(prefix) + len(indent) * (depth + 1)) // 16))
    inner, outer = "\n" + prefix + indent * (depth + 1), "\n" + prefix + indent * depth
    if kind is dict:
        named = sorted((k if type(k) is str else json_text(key_value(k), run), v) for k, v in value.items())
        texts = [f"{json_text(k, run)}: {_indented(v, run, prefix, indent, depth + 1)}" for k, v in named]
        return "{" + inner + ("," + inner).join(texts) + outer + "}"
    members = sort(value, run) if kind is RegoSet else value
    texts = [_indented(member, run, prefix, indent, depth + 1) for member in members]
    return "[" + inner + ("," + inner).join(texts) + outer + "]"


@builtin("json.unmarshal", cost=_by_parsing)
def json_unmarshal(text: Value) -> Value:
    """The value of JSON text."""
    return parse_json(string(text, 1))


@builtin("json.is_valid", cost=_by_parsing)
def json_is_valid(text: Value) -> Value:
    """Whether ``json.unmarshal`` takes it."""
    try:
        parse_json(string(text, 1))
    except BuiltinError:
        return False
    return True


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"not JSON: {name}")


def parse_json(text: str) -> Value:
    """JSON text as a value, numbers exact. Raises BuiltinError."""
    try:
        _refuse_depth(text)
        return json.loads(
            text, parse_float=parse_number, parse_int=parse_number, parse_constant=_refuse_constant
        )
    except ValueError as exc:
        raise BuiltinError("not JSON") from exc


def _refuse_depth(text: str) -> None:
    # The exact count is slow, so only a text with so many brackets anywhere is counted.
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return
    depth, quoted, escaped = 0, False, False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise ValueError("nested too deeply")
        elif character in "]}":
            depth -= 1


class _Loader(yaml.SafeLoader):
    """YAML without references: aliases make a small text a huge value."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are refused")
        return super().compose_node(parent, index)

    def flatten_mapping(self, node: Any) -> None:
        """No merge keys either."""


# YAML 1.2, and OPA, read 1e3 as a number; YAML 1.1 wants a point in it.
_EXPONENT: Final = re2.compile(r"^[-+]?\d+[eE][-+]?\d+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


@builtin("yaml.unmarshal", cost=_by_yaml)
def yaml_unmarshal(text: Value) -> Value:
    """The value of a YAML document. Aliases are refused."""
    return _parse_yaml(string(text, 1))


@builtin("yaml.is_valid", cost=_by_yaml)
def yaml_is_valid(text: Value) -> Value:
    """Whether ``yaml.unmarshal`` takes it."""
    if type(text) is not str:
        return False
    try:
        _parse_yaml(text)
    except BuiltinError:
        return False
    return True


def _parse_yaml(text: str) -> Value:
    try:
        _refuse_depth(text)
        return from_json(_string_keys(yaml.load(text, Loader=_Loader)))  # noqa: S506 - a SafeLoader with less
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as exc:
        raise BuiltinError("not YAML") from exc


def _string_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key_text(k): _string_keys(v) for k, v in value.items()}
    return [_string_keys(v) for v in value] if isinstance(value, list) else value


def _key_text(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if key is None:
        return "null"
    if isinstance(key, str | int | float | Decimal):
        return str(key)
    raise ValueError("a key that is not a scalar")


@builtin("yaml.marshal", evaluation=True)
def yaml_marshal(run: Evaluation, value: Value) -> Value:
    """YAML text, members sorted."""
    plain = to_json(value, run)
    run.charge(len(json_text(value, run)))
    text: str = yaml.safe_dump(
        plain, sort_keys=True, default_flow_style=False, allow_unicode=True, width=1 << 30
    )
    return text.removesuffix("...\n")
