"""Rego values as Python values, and the four questions everything asks of them: equal, order, key, JSON.

=========  ==================================================================
Rego       Python
=========  ==================================================================
null       ``None``
boolean    ``bool`` (never a number: ``True != 1`` here)
number     ``int`` or ``Decimal``; ``float`` only where it came in as input
string     ``str``
array      ``list``, never changed once it can be seen by a second holder
object     ``dict``; a key is a ``str`` or an :class:`ObjectKey`
set        :class:`RegoSet`
undefined  :data:`UNDEFINED`, which is not a value
=========  ==================================================================

Python's own ``==`` and ``hash`` would mix ``True`` with ``1``, so composite values are compared and hashed
by :func:`equal` and :func:`key_of`. Both charge the budget by the number of members they look at.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from policies.engines.ir.numbers import exact, json_number, number_text

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from policies.engines.ir.budget import Budget

Value: TypeAlias = Any


LONG_TEXT: Final = 1024
"""Comparing strings costs a step for so many characters."""


class Undefined:
    """The absence of a value. Its only instance is :data:`UNDEFINED`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> bool:
        raise TypeError("undefined is neither true nor false")


UNDEFINED: Final = Undefined()


class _Tag:
    """A marker that no value can equal, so that keys of different types never meet."""

    __slots__ = ()


_TRUE: Final = _Tag()
_FALSE: Final = _Tag()
_OBJECT: Final = _Tag()
_SET: Final = _Tag()


class ObjectKey:
    """A key of an object that is not a string."""

    __slots__ = ("key", "value")

    def __init__(self, key: Hashable, value: Value) -> None:
        self.key = key
        self.value = value

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return type(other) is ObjectKey and self.key == other.key


class RegoSet:
    """A set: its members by their key, in the order in which they were added."""

    __slots__ = ("members",)

    def __init__(self, members: dict[Hashable, Value] | None = None) -> None:
        self.members: dict[Hashable, Value] = {} if members is None else members

    @classmethod
    def of(cls, values: Iterable[Value], budget: Budget) -> RegoSet:
        """The set of these values; equal ones become one."""
        return cls({value if type(value) is str else key_of(value, budget): value for value in values})

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Any:
        return iter(self.members.values())


def key_of(value: Value, budget: Budget) -> Hashable:
    """A hashable that is equal for equal values and only for them."""
    kind = type(value)
    if kind is str or kind is int or kind is Decimal or value is None:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return _TRUE if value else _FALSE
    if kind is float:
        return exact(value)
    budget.charge(len(value))
    if kind is list:
        return tuple([key_of(member, budget) for member in value])
    if kind is dict:
        return (
            _OBJECT,
            frozenset([(k if type(k) is str else k.key, key_of(v, budget)) for k, v in value.items()]),
        )
    return (_SET, frozenset(value.members))


def object_key(value: Value, budget: Budget) -> str | ObjectKey:
    """What ``value`` is called as the key of an object."""
    return value if type(value) is str else ObjectKey(key_of(value, budget), value)


def key_value(key: str | ObjectKey) -> Value:
    """The value that an object's key stands for."""
    return key if type(key) is str else key.value  # type: ignore[union-attr]


def equal(a: Value, b: Value, budget: Budget) -> bool:
    """Whether two defined values are the same value. Numbers by what they are worth: 1 equals 1.0."""
    kind = type(a)
    if kind is not type(b):
        if kind in NUMBER_TYPES and type(b) in NUMBER_TYPES:
            return exact(a) == exact(b)
        return False
    if kind is list:
        if len(a) != len(b):
            return False
        budget.charge(len(a))
        return all(x is y or equal(x, y, budget) for x, y in zip(a, b, strict=True))
    if kind is dict:
        if len(a) != len(b):
            return False
        budget.charge(len(a))
        for key, member in a.items():
            other = b.get(key, UNDEFINED)
            if other is UNDEFINED or not (other is member or equal(member, other, budget)):
                return False
        return True
    if kind is RegoSet:
        budget.charge(len(a))
        return bool(a.members.keys() == b.members.keys())
    if kind is str and len(a) > LONG_TEXT:
        budget.charge(len(a) // LONG_TEXT)
    return bool(a == b)


NUMBER_TYPES: Final = frozenset({int, Decimal, float})

# The order of the types, as OPA sorts them.
_RANK: Final = {type(None): 0, bool: 1, int: 2, Decimal: 2, float: 2, str: 3, list: 4, dict: 5, RegoSet: 6}

TYPE_NAMES: Final = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    Decimal: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    RegoSet: "set",
}


def order_of(value: Value, budget: Budget) -> tuple[Any, ...]:
    """A tuple that Python sorts as Rego sorts the value.

    Strings need no encoding: code points and UTF-8 bytes have the same order. Objects compare key by key,
    value by value;
    sets by their sorted members.
    """
    kind = type(value)
    rank = _RANK[kind]
    if rank <= 3:
        if kind is str and len(value) > LONG_TEXT:
            budget.charge(len(value) // LONG_TEXT)
        return (rank, exact(value)) if kind is float else (rank,) if value is None else (rank, value)
    budget.charge(len(value))
    if kind is list:
        return (rank, [order_of(member, budget) for member in value])
    if kind is dict:
        pairs = sorted((order_of(key_value(k), budget), order_of(v, budget)) for k, v in value.items())
        return (rank, [part for pair in pairs for part in pair])
    return (rank, sorted(order_of(member, budget) for member in value))


def less(a: Value, b: Value, budget: Budget) -> bool:
    """Whether ``a`` sorts before ``b``."""
    kind = type(a)
    if kind is type(b) and (kind is int or kind is str):
        return bool(a < b)
    return order_of(a, budget) < order_of(b, budget)


def sort(values: Iterable[Value], budget: Budget) -> list[Value]:
    """The values in Rego's order."""
    return sorted(values, key=lambda value: order_of(value, budget))


def sorted_items(value: dict[str | ObjectKey, Value], budget: Budget) -> list[tuple[Value, Value]]:
    """An object's members in the order of their keys."""
    if all(type(k) is str for k in value):
        return sorted(value.items(), key=lambda item: item[0])
    pairs = [(key_value(k), v) for k, v in value.items()]
    return sorted(pairs, key=lambda pair: order_of(pair[0], budget))


def to_json(value: Value, budget: Budget) -> Any:
    """Plain JSON: sets become sorted arrays, keys that are not strings their JSON text."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is Decimal or kind is float:
        return json_number(exact(value))
    budget.charge(len(value))
    if kind is list:
        return [to_json(member, budget) for member in value]
    if kind is dict:
        return {
            k if type(k) is str else json_text(k.value, budget): to_json(v, budget) for k, v in value.items()
        }
    return [to_json(member, budget) for member in sort(value, budget)]


def from_json(value: Any) -> Value:
    """A private copy of a JSON document, numbers exact. Raises ValueError for other things."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int or kind is float or kind is Decimal:
        return exact(value)
    if kind is list:
        return [from_json(member) for member in value]
    if kind is dict:
        for key in value:
            if type(key) is not str:
                raise ValueError(f"not JSON: an object key of type {type(key).__name__}")
        return {key: from_json(member) for key, member in value.items()}
    raise ValueError(f"not JSON: {kind.__name__}")


_ESCAPES: Final = str.maketrans(
    {
        **{chr(code): f"\\u{code:04x}" for code in range(0x20)},
        "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\",
        "<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029",
    }
)  # fmt: skip


def json_string(text: str) -> str:
    """JSON text of a string, escaped as Go's encoder does (also what HTML would misread)."""
    return '"' + text.translate(_ESCAPES) + '"'


def json_text(value: Value, budget: Budget) -> str:
    """Compact JSON text with sorted members, as ``json.marshal`` gives it."""
    kind = type(value)
    if kind is str:
        budget.charge(len(value) // 64)
        return json_string(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind in NUMBER_TYPES:
        return number_text(value)
    budget.charge(len(value))
    if kind is dict:
        # Go sorts by the text of the key, which for keys that are no strings is their JSON.
        named = sorted((k if type(k) is str else json_text(k.value, budget), v) for k, v in _distinct(value))
        return "{" + ",".join(f"{json_string(k)}:{json_text(v, budget)}" for k, v in named) + "}"
    members = value if kind is list else sort(value, budget)
    return "[" + ",".join(json_text(member, budget) for member in members) + "]"


def _distinct(value: dict[str | ObjectKey, Value]) -> Iterable[tuple[Any, Value]]:
    return value.items()
