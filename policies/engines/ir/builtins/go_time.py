"""Go's reference-time layouts ("2006-01-02T15:04:05Z07:00"), read and written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

import re2

from policies.engines.ir.errors import BuiltinError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LAYOUTS: Final = {
    "ANSIC": "Mon Jan _2 15:04:05 2006",
    "UnixDate": "Mon Jan _2 15:04:05 MST 2006",
    "RubyDate": "Mon Jan 02 15:04:05 -0700 2006",
    "RFC822": "02 Jan 06 15:04 MST",
    "RFC822Z": "02 Jan 06 15:04 -0700",
    "RFC850": "Monday, 02-Jan-06 15:04:05 MST",
    "RFC1123": "Mon, 02 Jan 2006 15:04:05 MST",
    "RFC1123Z": "Mon, 02 Jan 2006 15:04:05 -0700",
    "RFC3339": "2006-01-02T15:04:05Z07:00",
    "RFC3339Nano": "2006-01-02T15:04:05.999999999Z07:00",
}
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time in a zone: whole seconds, and the nanoseconds after them."""

    second: datetime
    nanosecond: int

    @property
    def unix_ns(self) -> int:
        """Nanoseconds since 1970 in UTC."""
        since = self.second - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000_000 + self.nanosecond


# Longest first where one begins another: "January" before "Jan", "2006" and "02" before "2", "15" before "1".
_ELEMENT: Final = re2.compile(
    r"January|Jan|Monday|Mon|MST|2006|__2|_2006|_2|002|01|02|03|04|05|06|15|1|2|3|4|5|PM|pm"
    r"|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07|[.,]0+|[.,]9+"
)


def _elements(layout: str) -> list[tuple[str, str]]:
    """The layout as pairs of plain text and the element that follows it; the last element is empty."""
    found, end = [], 0
    for match in _ELEMENT.finditer(layout):
        element, start = match.group(), match.start()
        following = layout[match.end() : match.end() + 1]
        if element[0] in ".," and following.isdecimal():
            continue  # Not a fraction but the beginning of ".0123".
        if element == "_2006":
            start, element = start + 1, "2006"
        if element in {"Jan", "Mon"} and following.islower():
            continue
        found.append((layout[end:start], element))
        end = match.end()
    return [*found, (layout[end:], "")]


# -- writing ----------------------------------------------------------------------------------------


def format_instant(instant: Instant, layout: str) -> str:
    """The instant as the layout says."""
    return "".join(
        text + (_written(instant, element) if element else "") for text, element in _elements(layout)
    )


def _hour12(t: datetime) -> int:
    return t.hour % 12 or 12


def _zone_name(t: datetime) -> str:
    name = t.tzname() or "UTC"
    return name if name.isalpha() else _offset(t, "-0700" if _seconds(t) % 3600 else "-07")


def _seconds(t: datetime) -> int:
    offset = t.utcoffset() or timedelta(0)
    return offset.days * 86_400 + offset.seconds


def _offset(t: datetime, element: str) -> str:
    seconds = _seconds(t)
    if element.startswith("Z") and seconds == 0:
        return "Z"
    sign, size = "-" if seconds < 0 else "+", abs(seconds)
    digits = element[1:]
    parts = [f"{size // 3600:02d}", f"{size // 60 % 60:02d}", f"{size % 60:02d}"]
    count = len(digits.replace(":", "")) // 2
    return sign + (":" if ":" in digits else "").join(parts[:count])


_WRITERS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "January": lambda t: MONTHS[t.month - 1],
    "Jan": lambda t: MONTHS[t.month - 1][:3],
    "Monday": lambda t: DAYS[t.weekday()],
    "Mon": lambda t: DAYS[t.weekday()][:3],
    "MST": _zone_name,
    "2006": lambda t: f"{t.year:04d}",
    "06": lambda t: f"{t.year % 100:02d}",
    "01": lambda t: f"{t.month:02d}",
    "1": lambda t: str(t.month),
    "02": lambda t: f"{t.day:02d}",
    "_2": lambda t: f"{t.day:2d}",
    "2": lambda t: str(t.day),
    "002": lambda t: f"{t.timetuple().tm_yday:03d}",
    "__2": lambda t: f"{t.timetuple().tm_yday:3d}",
    "15": lambda t: f"{t.hour:02d}",
    "03": lambda t: f"{_hour12(t):02d}",
    "3": lambda t: str(_hour12(t)),
    "04": lambda t: f"{t.minute:02d}",
    "4": lambda t: str(t.minute),
    "05": lambda t: f"{t.second:02d}",
    "5": lambda t: str(t.second),
    "PM": lambda t: "PM" if t.hour >= 12 else "AM",
    "pm": lambda t: "pm" if t.hour >= 12 else "am",
}


def _written(instant: Instant, element: str) -> str:
    writer = _WRITERS.get(element)
    if writer is not None:
        return writer(instant.second)
    if element[0] in ".,":
        digits = f"{instant.nanosecond:09d}"[: len(element) - 1]
        if element[1] == "9":
            digits = digits.rstrip("0")
        return element[0] + digits if digits else ""
    return _offset(instant.second, element)


# -- reading ----------------------------------------------------------------------------------------

_FIXED: Final = {
    "2006": r"(\d{4})", "06": r"(\d{2})",
    "01": r"(\d{2})", "1": r"(\d{1,2})",
    "02": r"(\d{2})", "_2": r" ?(\d{1,2})", "2": r"(\d{1,2})", "002": r"(\d{3})", "__2": r" {0,2}(\d{1,3})",
    "15": r"(\d{2})", "03": r"(\d{2})", "3": r"(\d{1,2})", "PM": r"(AM|PM)", "pm": r"(am|pm)",
    "04": r"(\d{2})", "4": r"(\d{1,2})", "05": r"(\d{2})", "5": r"(\d{1,2})",
    "MST": r"([A-Z]{3,4}[A-Z]?|[+-]\d{2})",
    "January": f"(?i:({'|'.join(MONTHS)}))", "Jan": f"(?i:({'|'.join(m[:3] for m in MONTHS)}))",
    "Monday": f"(?i:({'|'.join(DAYS)}))", "Mon": f"(?i:({'|'.join(d[:3] for d in DAYS)}))",
    "-07:00:00": r"([+-]\d{2}:\d{2}:\d{2})", "-070000": r"([+-]\d{6})", "-07:00": r"([+-]\d{2}:\d{2})",
    "-0700": r"([+-]\d{4})", "-07": r"([+-]\d{2})",
    "Z07:00:00": r"(Z|[+-]\d{2}:\d{2}:\d{2})", "Z070000": r"(Z|[+-]\d{6})", "Z07:00": r"(Z|[+-]\d{2}:\d{2})",
    "Z0700": r"(Z|[+-]\d{4})", "Z07": r"(Z|[+-]\d{2})",
}  # fmt: skip


def parse_instant(text: str, layout: str) -> Instant:
    """The instant that the text is, read as the layout says. Raises BuiltinError."""
    pieces, names = [], []
    elements = _elements(layout)
    for (plain, element), (after, following) in zip(elements, [*elements[1:], ("", "")], strict=True):
        pieces.append(re2.escape(plain))
        if not element:
            continue
        if element[0] in ".,":
            pieces.append(r"[.,](\d+)" if element[1] == "0" else r"(?:[.,](\d+))?")
        else:
            pieces.append(_FIXED[element])
        names.append(element)
        # A fraction may follow the seconds even where the layout has none.
        if element in {"05", "5"} and not (not after and following and following[0] in ".,"):
            pieces.append(r"(?:[.,](\d+))?")
            names.append(".9")
    found = re2.compile("".join(pieces)).fullmatch(text)
    if found is None:
        raise BuiltinError(f"parsing time {text[:80]!r} as {layout!r}: cannot parse")
    values = {name: value for name, value in zip(names, found.groups(), strict=True) if value is not None}
    try:
        return _assembled(values)
    except (ValueError, OverflowError) as exc:
        raise BuiltinError(f"parsing time {text[:80]!r}: {exc}") from exc


def _assembled(values: dict[str, str]) -> Instant:
    def number(*names: str, default: int) -> int:
        return next((int(values[name]) for name in names if name in values), default)

    year = number("2006", default=-1)
    if year < 0:
        short = number("06", default=-1)
        year = 0 if short < 0 else short + (1900 if short >= 69 else 2000)
    month = number("01", "1", default=_named(values, MONTHS, ("January", "Jan"), 1))
    hour = number("15", default=-1)
    if hour < 0:
        hour = number("03", "3", default=0)
        half = values.get("PM", values.get("pm", "")).upper()
        hour = hour % 12 + (12 if half == "PM" else 0) if half else hour
    day = number("02", "_2", "2", default=1)
    minute, seconds = number("04", "4", default=0), number("05", "5", default=0)
    second = datetime(year, month, day, hour, minute, seconds, tzinfo=_zone(values))
    yearday = number("002", "__2", default=0)
    if yearday:
        second = second.replace(month=1, day=1) + timedelta(days=yearday - 1)
    fraction = next((value for name, value in values.items() if name[0] in ".,"), "0")
    return Instant(second, int(fraction[:9].ljust(9, "0")))


def _named(values: dict[str, str], names: tuple[str, ...], elements: tuple[str, ...], default: int) -> int:
    for element in elements:
        if element in values:
            wanted = values[element][:3].lower()
            return next(i for i, name in enumerate(names, 1) if name[:3].lower() == wanted)
    return default


def _zone(values: dict[str, str]) -> timezone:
    text = next((value for name, value in values.items() if name[0] in "-Z" and name[1:2] == "0"), "Z")
    if text == "Z":
        # An abbreviation alone says nothing about the offset; Go too takes it as UTC unless it is local.
        return UTC
    digits = text[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    if hours > 24 or minutes > 59 or seconds > 59:
        raise ValueError("time zone offset out of range")
    size = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return timezone(-size if text[0] == "-" else size)
