"""net.cidr_*: networks and addresses as Go's net package reads them. No name is ever looked up."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, TypeAlias

from policies.engines.ir.builtins.operands import string
from policies.engines.ir.builtins.registry import builtin, by_members, by_text_from
from policies.engines.ir.errors import BuiltinError
from policies.engines.ir.values import RegoSet, Value, key_value

if TYPE_CHECKING:
    from policies.engines.ir.evaluation import Evaluation

_COST = by_text_from(30)

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_TEXT_MAX = 64


def _network(value: Value, position: int) -> Network:
    text = string(value, position)
    address, slash, prefix = text.partition("/")
    if not slash or not prefix.isdecimal() or not prefix.isascii() or len(text) > _TEXT_MAX or "%" in text:
        raise BuiltinError(f"invalid CIDR address: {text[:_TEXT_MAX]}")
    try:
        return _unmapped(ipaddress.ip_network(f"{address}/{int(prefix)}", strict=False))
    except ValueError as exc:
        raise BuiltinError(f"invalid CIDR address: {text[:_TEXT_MAX]}") from exc


def _unmapped(network: Network) -> Network:
    """Go sees an IPv4 address in ``::ffff:1.2.3.4``."""
    if network.version == 6 and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        return ipaddress.ip_network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network


def _address(text: str) -> Network | None:
    """The network of this one address, None when the text is no address."""
    if len(text) > _TEXT_MAX or "%" in text or "/" in text:
        return None
    try:
        return _unmapped(ipaddress.ip_network(text))
    except ValueError:
        return None


def _holds(outer: Network, inner: Network) -> bool:
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _contains(a: Value, b: Value) -> bool:
    network, text = _network(a, 1), string(b, 2)
    inner = _address(text)
    return _holds(network, _network(b, 2) if inner is None else inner)


@builtin("net.cidr_contains", cost=_COST)
def contains(network: Value, other: Value) -> Value:
    """Whether the network holds all of another, or an address."""
    return _contains(network, other)


@builtin("net.cidr_intersects", "net.cidr_overlap", cost=_COST)
def intersects(a: Value, b: Value) -> Value:
    """Whether two networks share an address."""
    x, y = _network(a, 1), _network(b, 2)
    return _holds(x, y) or _holds(y, x)


@builtin("net.cidr_is_valid", cost=_COST)
def is_valid(text: Value) -> Value:
    """Whether this is a network."""
    try:
        return type(text) is str and _network(text, 1) is not None
    except BuiltinError:
        return False


@builtin("net.cidr_contains_matches", evaluation=True)
def contains_matches(run: Evaluation, networks: Value, others: Value) -> Value:
    """All pairs in which the first holds the second, by their index, key or value."""
    outer, inner = _candidates(run, networks, 1), _candidates(run, others, 2)
    run.charge(20 * len(outer) * len(inner))
    return RegoSet.of([[i, j] for a, i in outer for b, j in inner if _contains(a, b)], run)


def _candidates(run: Evaluation, value: Value, position: int) -> list[tuple[Value, Value]]:
    """Networks with what they are called."""
    if type(value) is str:
        return [(value, value)]
    if type(value) is list:
        named: list[tuple[Any, Any]] = list(enumerate(value))
    elif type(value) is dict:
        named = [(key_value(key), member) for key, member in value.items()]
    elif type(value) is RegoSet:
        named = [(member, member) for member in value]
    else:
        return []
    run.charge(len(named))
    found = []
    for name, member in named:
        network = member[0] if type(member) is list and member else member
        if type(member) not in {str, list} or type(network) is list:
            raise BuiltinError(f"operand {position}: element must be string or non-empty array")
        found.append((network, name))
    return found


@builtin("net.cidr_expand", evaluation=True)
def expand(run: Evaluation, network: Value) -> Value:
    """All addresses of the network."""
    found = _network(network, 1)
    run.charge(4 * found.num_addresses)
    return RegoSet.of([str(address) for address in found], run)


@builtin("net.cidr_merge", evaluation=True, cost=by_members)
def merge(run: Evaluation, networks: Value) -> Value:
    """The smallest set of networks that hold the same addresses."""
    if type(networks) not in {list, RegoSet}:
        raise BuiltinError("operand must be an array")
    run.charge(20 * len(networks))
    parsed = [_mergeable(member) for member in networks]
    four = [n for n in parsed if isinstance(n, ipaddress.IPv4Network)]
    six = [n for n in parsed if isinstance(n, ipaddress.IPv6Network)]
    merged = [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]
    return RegoSet.of([str(n) for n in merged], run)


def _mergeable(value: Value) -> Network:
    if type(value) is not str:
        raise BuiltinError("element must be string")
    if (address := _address(value)) is None:
        return _network(value, 1)
    if not isinstance(address, ipaddress.IPv4Network):
        raise BuiltinError("IPv6 invalid: needs prefix length")
    # An address alone stands for the network of its historical class, as in Go.
    first = int(address.network_address) >> 24
    prefix = 8 if first < 128 else 16 if first < 192 else 24 if first < 224 else None
    if prefix is None:
        raise BuiltinError("the address has no default mask")
    return ipaddress.ip_network((address.network_address, prefix), strict=False)
