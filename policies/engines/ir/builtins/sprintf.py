"""sprintf as Go's fmt package formats what OPA hands it, and values as Rego source text.

OPA hands over integers as int, other numbers as float64, strings as string and everything else as its
source text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from policies.engines.ir.builtins.operands import array, string
from policies.engines.ir.builtins.registry import builtin
from policies.engines.ir.errors import BudgetExceeded
from policies.engines.ir.numbers import exact, number_text
from policies.engines.ir.values import NUMBER_TYPES, RegoSet, Value, sort, sorted_items

if TYPE_CHECKING:
    from policies.engines.ir.budget import Budget
    from policies.engines.ir.evaluation import Evaluation

WIDTH_MAX: Final = 1_000_000
"""Go's own limit on a width or precision that is an argument. A larger one in the template is refused."""

_FLOAT_MAX: Final = Decimal(2) ** 1024

# One directive or one run of other text. No alternatives overlap, so matching is linear.
_DIRECTIVE: Final = re.compile(
    r"%(?P<flags>[-+# 0]*)(?:\[(?P<width_index>\d*)\](?=\*))?(?P<width>\*|\d*)"
    r"(?:(?P<point>\.)(?:\[(?P<precision_index>\d*)\](?=\*))?(?P<precision>\*|\d*))?"
    r"(?:\[(?P<index>\d*)\])?(?P<verb>[^\d.*]?)|[^%]+",
    re.DOTALL,
)


def source_text(value: Value, budget: Budget) -> str:
    """The value as Rego source; strings in quotes, as they are also inside collections."""
    kind = type(value)
    if kind is str:
        budget.charge(len(value) // 64)
        return quoted(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind in NUMBER_TYPES:
        return number_text(value)
    budget.charge(1 + len(value))
    if kind is list:
        return "[" + ", ".join(source_text(member, budget) for member in value) + "]"
    if kind is dict:
        pairs = sorted_items(value, budget)
        return "{" + ", ".join(f"{source_text(k, budget)}: {source_text(v, budget)}" for k, v in pairs) + "}"
    members = sort(value, budget) if type(value) is RegoSet else value
    return "{" + ", ".join(source_text(member, budget) for member in members) + "}" if members else "set()"


_SHORT: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}


def quoted(text: str) -> str:
    """The text as a Go string literal."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character == " " or character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spec:
    flags: str
    width: int
    precision: int | None
    verb: str

    def padded(self, text: str) -> str:
        """The text filled up to the width; with zeros only where Go does so."""
        if "-" in self.flags:
            return text.ljust(self.width)
        if "0" not in self.flags:
            return text.rjust(self.width)
        sign = len(text) - len(text.lstrip("+- "))
        return text[:sign] + text[sign:].rjust(self.width - sign, "0")


@builtin("sprintf", evaluation=True)
def sprintf(run: Evaluation, template: Value, values: Value) -> Value:
    """The template with its directives replaced by the values, errors shown in the text as Go shows them."""
    text = string(template, 1)
    arguments = [_argument(value, run) for value in array(values, 2)]
    run.charge(8 + len(text) // 16)
    printer = _Printer(arguments, run)
    out = [printer.piece(match) for match in _DIRECTIVE.finditer(text)]
    rest = arguments[printer.used :]
    if rest and not printer.reordered:
        out.append("%!(EXTRA " + ", ".join(f"{_kind(a)}={_plain(a)}" for a in rest) + ")")
    result = "".join(out)
    run.charge(len(result) // 16)
    return result


def _argument(value: Value, budget: Budget) -> int | Decimal | str:
    kind = type(value)
    if kind in NUMBER_TYPES:
        number = exact(value)
        # What no float64 can hold travels as its text.
        return number_text(number) if isinstance(number, Decimal) and abs(number) >= _FLOAT_MAX else number
    if kind is str:
        budget.charge(len(value) // 64)
        return value  # type: ignore[no-any-return]
    return source_text(value, budget)


class _Printer:
    def __init__(self, arguments: list[int | Decimal | str], budget: Budget) -> None:
        self.arguments = arguments
        self.budget = budget
        self.used = 0
        self.reordered = False

    def piece(self, match: re.Match[str]) -> str:
        """The text for one directive or one stretch of plain text."""
        if not match[0].startswith("%"):
            return match[0]
        complaints: list[str] = []
        width = self._size(match["width"], match["width_index"], "WIDTH", complaints)
        precision = self._size(match["precision"], match["precision_index"], "PREC", complaints)
        if match["point"] and not match["precision"]:
            precision = 0
        indexed = self._go_to(match["index"])
        flags, verb, prefix = match["flags"], match["verb"], "".join(complaints)
        if width is not None and width < 0:
            flags, width = flags + "-", -width
        if not verb:
            return prefix + "%!(NOVERB)"
        if verb == "%":
            return prefix + "%"
        if not indexed:
            return f"{prefix}%!{verb}(BADINDEX)"
        if self.used >= len(self.arguments):
            return f"{prefix}%!{verb}(MISSING)"
        argument = self.arguments[self.used]
        self.used += 1
        self.budget.charge(8 + ((width or 0) + (precision or 0)) // 16)
        return prefix + _format(
            argument, _Spec(flags=flags, width=width or 0, precision=precision, verb=verb)
        )

    def _go_to(self, index: str | None) -> bool:
        """Take the next argument from an explicit position; False when there is none such."""
        if index is None:
            return True
        self.reordered = True
        if not index or len(index) > 7 or not 1 <= int(index) <= len(self.arguments):
            return False
        self.used = int(index) - 1
        return True

    def _size(self, text: str | None, index: str | None, name: str, complaints: list[str]) -> int | None:
        if not text:
            return None
        if text == "*":
            found = self._go_to(index) and self.used < len(self.arguments)
            value = self.arguments[self.used] if found else ""
            self.used += found
            if isinstance(value, int) and abs(value) <= WIDTH_MAX and (value >= 0 or name == "WIDTH"):
                return value
            complaints.append(f"%!(BAD{name})")
            return None
        if len(text) > 7 or int(text) > WIDTH_MAX:
            raise BudgetExceeded(f"sprintf: a {name.lower()} of more than {WIDTH_MAX} characters")
        return int(text)


def _format(argument: int | Decimal | str, spec: _Spec) -> str:
    if spec.verb == "T":
        return spec.padded(_kind(argument))
    text = _by_kind(argument, spec)
    if text is not None:
        return text
    shown = _by_kind(argument, replace(spec, verb="v"))
    return f"%!{spec.verb}({_kind(argument)}={shown})"


def _by_kind(argument: int | Decimal | str, spec: _Spec) -> str | None:
    if isinstance(argument, str):
        return _string(argument, spec)
    return _integer(argument, spec) if isinstance(argument, int) else _float(argument, spec)


def _kind(argument: int | Decimal | str) -> str:
    if isinstance(argument, str):
        return "string"
    if isinstance(argument, Decimal):
        return "float64"
    return "int64" if -(2**63) <= argument < 2**63 else "*big.Int"


def _plain(argument: int | Decimal | str) -> str:
    if isinstance(argument, Decimal):
        return _shortest(float(argument), "g")
    return str(argument)


def _string(argument: str, spec: _Spec) -> str | None:
    verb = spec.verb
    text = argument if spec.precision is None else argument[: spec.precision]
    if verb in "vs":
        return spec.padded(quoted(text) if verb == "v" and "#" in spec.flags else text)
    if verb == "q":
        if "#" in spec.flags and "`" not in text and text.isprintable():
            return spec.padded(f"`{text}`")
        return spec.padded(quoted(text))
    if verb in "xX":
        data = argument.encode()[: spec.precision]
        glue = " " if " " in spec.flags else ""
        digits = data.hex(glue) if glue else data.hex()
        if "#" in spec.flags and data:
            digits = "0x" + digits.replace(" ", " 0x")
        return spec.padded(digits.upper() if verb == "X" else digits)
    return None


_BASES: Final = {"b": "b", "o": "o", "O": "o", "d": "d", "v": "d", "x": "x", "X": "X"}
_PREFIXES: Final = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}


def _integer(argument: int, spec: _Spec) -> str | None:
    verb = spec.verb
    if verb == "s" and _kind(argument) == "*big.Int":
        verb = "d"
    if verb in _BASES:
        digits = format(abs(argument), _BASES[verb])
        if spec.precision is not None:
            digits = "" if spec.precision == 0 and argument == 0 else digits.rjust(spec.precision, "0")
        prefix = "0o" if verb == "O" else _PREFIXES.get(verb, "") if "#" in spec.flags else ""
        sign = "-" if argument < 0 else "+" if "+" in spec.flags else " " if " " in spec.flags else ""
        if "0" in spec.flags and "-" not in spec.flags and spec.precision is None:
            digits = digits.rjust(spec.width - len(sign) - len(prefix), "0")
        text = sign + prefix + digits
        return text.ljust(spec.width) if "-" in spec.flags else text.rjust(spec.width)
    character = chr(argument) if 0 <= argument < 0x110000 and not 0xD800 <= argument < 0xE000 else "\ufffd"
    if verb == "c":
        return spec.padded(character)
    if verb == "q":
        escaped = "\\'" if character == "'" else '"' if character == '"' else _escaped(character)
        return spec.padded(f"'{escaped}'")
    if verb == "U":
        shown = f"U+{argument:04X}" + (f" '{character}'" if "#" in spec.flags else "")
        return spec.padded(shown)
    return None


def _float(argument: Decimal, spec: _Spec) -> str | None:
    verb = spec.verb
    if verb in "xX" and spec.precision is None:
        text = _hexadecimal(float(argument))
        return spec.padded(text.upper() if verb == "X" else text)
    if verb not in "vfFeEgG":
        return None
    kind = {"v": "g", "F": "f"}.get(verb, verb)
    value = float(argument)
    if spec.precision is None and kind in "gG":
        text = _shortest(value, kind)
    else:
        places = 6 if spec.precision is None else spec.precision
        text = format(value, f".{places or (1 if kind in 'gG' else 0)}{kind}")
    if not text.startswith(("-", "+")):
        text = ("+" if "+" in spec.flags else " " if " " in spec.flags else "") + text
    return spec.padded(text)


def _shortest(value: float, kind: str) -> str:
    """Go's %g: the fewest digits that read back the same; an exponent below -4 and from 6 on."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    point = len(digits) + exponent - 1
    text = "".join(map(str, digits))
    if value == 0:
        body = "0"
    elif point < -4 or point >= 6:
        body = text[0] + ("." + text[1:] if len(text) > 1 else "") + f"e{point:+03d}"
    elif exponent >= 0:
        body = text + "0" * exponent
    elif point < 0:
        body = "0." + "0" * (-point - 1) + text
    else:
        body = text[: point + 1] + "." + text[point + 1 :]
    return ("-" if sign else "") + (body.upper() if kind == "G" else body)


def _hexadecimal(value: float) -> str:
    """Go's %x: no zeros at the end of the mantissa, two digits of the exponent."""
    mantissa, exponent = value.hex().split("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{int(exponent):+03d}"
