"""What a page says to its reader, out of its DOM; and what it has to say of a value, worked out anew."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import rfc8785

from gateway.core.visible_text import ALARMING, pieces, visible

SIMPLE_NAME = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.$@-]*")
_SHOWS_NOTHING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Whatever their category says, browsers show nothing of them (Default_Ignorable_Code_Point).
_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

_SPELLED = """\
const spelled = (one) => one && {
  text: one.textContent,
  seen: one.innerText,
  visible: one.checkVisibility({opacityProperty: true, visibilityProperty: true}),
};
const unfold = (inside) => { for (const one of inside.querySelectorAll("details")) one.open = true; };
"""
_TEXTS = (
    "(selector) => {"
    + _SPELLED
    + "unfold(document); return [...document.querySelectorAll(selector)].map(spelled); }"
)
_VALUES = (
    "() => {"
    + _SPELLED
    + """\
  const rows = [...document.querySelectorAll("#arguments > .args > div:has(> dt > .type)")];
  unfold(document.getElementById("arguments"));
  return rows.map((row) => {
    const kind = row.querySelector(":scope > dt > .type").textContent;
    const [first, tail] = row.querySelectorAll(":scope > dd > .v");
    const whole = row.querySelector(":scope > dd > details > .v");
    // What stands between the path and its kind is a space of the template.
    const path = row.querySelector(":scope > dt").textContent.slice(0, -kind.length - 1);
    const notes = [...row.querySelectorAll(":scope > dd > .note")].map((one) => one.textContent);
    return {path, kind, notes, first: spelled(first), tail: spelled(tail), whole: spelled(whole)};
  });
}
"""
)
_FOREIGN = """\
(known) => {
  const kept = new Set(known.split(" ")), found = [];
  const places = new Set(["href", "src", "action", "formaction", "srcset", "poster", "data", "ping", "cite",
    "background", "manifest", "xlink:href"]);
  const origin = (value) => new URL(value, document.baseURI).origin;
  const own = (value) => /^(\\/(?![\\/\\\\])|#)/.test(value) && origin(value) === location.origin;
  for (const one of document.querySelectorAll("*")) {
    if (!kept.has(one.localName)) found.push(one.outerHTML.slice(0, 200));
    for (const { name, value } of one.attributes) {
      const acts = name.startsWith("on") || name === "style" || name === "srcdoc";
      if (acts || (places.has(name) && !own(value))) found.push(`${one.localName} ${name}=${value}`);
    }
  }
  return found;
}
"""
_KNOWN = (
    "html head meta title link script noscript body main header footer nav section form label input button "
    "select option textarea details summary h1 h2 h3 p ul ol li dl dt dd div span small b code pre mark ins "
    "del time table thead tbody tr th td a br wbr"
)
"""Every element that our templates have, but for those of charts."""
CHART = "svg rect text"

_UI = """\
() => {
  const all = (selector, tell) => [...document.querySelectorAll(selector)].map(tell);
  const bar = getComputedStyle(document.getElementById("decision"));
  return {
    buttons: all("button", (one) => [one.name, one.value, one.textContent, one.disabled, one.hidden]),
    fields: all("input, select, textarea", (one) => [one.localName, one.type, one.name]),
    forms: all("form", (one) => [one.method, one.getAttribute("action")]),
    files: all("link, script, meta", (one) =>
      [one.localName, one.getAttribute("href") ?? one.getAttribute("src") ?? one.name]),
    sections: all("main section, main h1, main h2", (one) => one.id || one.localName),
    bar: [bar.position, bar.bottom, bar.display, bar.visibility],
  };
}
"""
_UNCOVERED = """\
(one) => [...one.getClientRects()].filter((part) => part.width).every(({x, y, width, height}) =>
  one.contains(document.elementFromPoint(x + width / 2, y + height / 2)))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownValue:
    """One value of the arguments, as it is read."""

    kind: str
    text: str
    """All of it, or its beginning."""
    tail: str | None
    """Its end, where the middle is folded away; else None."""
    whole: str | None
    """All of it, unfolded."""
    notes: tuple[str, ...]


def texts(page, selector):
    """What the elements say; and that is what is seen of them, every space. Everything is unfolded for it."""
    # Found and read in one go: a live update puts others in their place.
    return [_read(one) for one in page.evaluate(_TEXTS, selector)]


def values(page):
    """The arguments of a held call's page, by path. They are unfolded for it."""
    rows = page.evaluate(_VALUES)
    found = {
        row["path"]: ShownValue(
            kind=row["kind"],
            text=_read(row["first"]),
            tail=_read(row["tail"]),
            whole=_read(row["whole"]),
            notes=tuple(row["notes"]),
        )
        for row in rows
    }
    assert len(found) == len(rows), "two values have the same path"
    return found


def _read(spelled):
    if spelled is None:
        return None
    assert spelled["visible"], spelled
    # Lines are broken where a text breaks them; of spaces none is lost.
    assert spelled["seen"].replace("\n", "") == spelled["text"].replace("\n", "")
    return spelled["text"]


def expected(value):
    """What a page has to say of a value: path, kind and text of each that holds no other."""
    return [(path, _kind(one), said(one)) for path, one in leaves(value)]


def leaves(value, path=""):
    """Each value that holds no other, with its path as a page writes it."""
    if isinstance(value, dict) and value:
        for name, member in value.items():
            shown = name if SIMPLE_NAME.fullmatch(name) else quoted(name)
            yield from leaves(member, f"{path}/{shown}")
    elif isinstance(value, list) and value:
        for index, element in enumerate(value):
            yield from leaves(element, f"{path}/{index}")
    else:
        yield path, value


def said(value):
    """A value that holds no other: a string with everything visible, anything else as canonical JSON."""
    return quoted(value) if isinstance(value, str) else rfc8785.dumps(value).decode()


def quoted(text):
    """As JSON has it, with marks in place of everything that could hide."""
    return '"' + inside(text) + '"'


def inside(text):
    """The same without the quotes."""
    return visible(text.replace("\\", "\\\\").replace('"', '\\"'))


def lines(text):
    """A text of several lines, each of them visible."""
    return "\n".join(map(visible, text.split("\n")))


def strings(value):
    """Every string of a value, the names among them."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from strings(member)
    elif isinstance(value, list):
        for element in value:
            yield from strings(element)
    elif isinstance(value, str):
        yield value


def alarming(texts):
    """Whether something hides in one of them, or passes as something else."""
    return any(piece.kind in ALARMING for text in texts for piece in pieces(text))


def hidden(text):
    """The characters in it that nobody can see, or that reorder others; line feeds do not count."""
    found = {one for one in text if unicodedata.category(one) in _SHOWS_NOTHING or _IGNORED.match(one)}
    return sorted(f"U+{ord(one):04X}" for one in found - {"\n"})


def foreign(page, *, more=""):
    """Elements that no template of ours has, attributes that act, addresses that are no paths of ours."""
    return page.evaluate(_FOREIGN, f"{_KNOWN} {more}")


def is_harmless(page, *, more=""):
    """Everything on it is ours, and nothing hides in it."""
    assert foreign(page, more=more) == [], page.url
    assert hidden(page.content()) == [], page.url
    assert hidden(page.title()) == [], page.url


def ui(page, hold):
    """What can be pressed and filled in, what is loaded, and which parts there are: of a held call's page."""
    found = page.evaluate(_UI)
    found["forms"] = [[method, action.replace(hold, "HOLD")] for method, action in found["forms"]]
    return found


def in_sight(page, locator):
    """Whether it can be read without scrolling: in the window, above the bar, under nothing else."""
    box, bar = locator.bounding_box(), page.locator("#decision").bounding_box()
    if box is None or not box["width"] or box["y"] < 0 or box["y"] + box["height"] > bar["y"]:
        return False
    return locator.evaluate(_UNCOVERED)


def _kind(value):
    kinds = {str: "string", bool: "boolean", type(None): "null", dict: "object", list: "list"}
    return kinds.get(type(value), "number")
