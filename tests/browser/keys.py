"""Somebody who uses the keyboard alone, and sees where the focus is."""

from __future__ import annotations

STOPS_MAX = 80
"""Further away with Tab is nowhere."""

_FOCUS = """\
() => {
  const at = document.activeElement, style = getComputedStyle(at), [box] = at.getClientRects();
  const [x, y] = box ? [box.x + box.width / 2, box.y + box.height / 2] : [-1, -1];
  const top = document.elementFromPoint(x, y);
  const seen = top !== null && (at.contains(top) || top.contains(at));
  const drawn = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const apart = style.outlineColor !== getComputedStyle(document.body).backgroundColor;
  return { name: at.outerHTML.slice(0, 120), nowhere: at === document.body, visible: seen && drawn && apart };
}
"""


class Keys:
    """The keys of one page. Wherever they lead to, the focus is visible."""

    def __init__(self, page):
        """Nothing but these touches the page."""
        self.page = page

    def press(self, *keys):
        """One after the other; looks for the focus after those that move it."""
        for key in keys:
            self.page.keyboard.press(key)
            if key in {"Tab", "Shift+Tab"}:
                self.see(ends=True)

    def type(self, text):
        """Into whatever has the focus."""
        self.page.keyboard.type(text)

    def to(self, place, key="Tab"):
        """Go on until a place has the focus."""
        for _ in range(STOPS_MAX):
            if self.at(place):
                return
            self.press(key)
        raise AssertionError(f"{key} does not lead to {place}")

    def at(self, place):
        """Whether it has the focus."""
        return place.evaluate("(one) => one === document.activeElement")

    def see(self, *, ends=False):
        """Something has the focus, and one sees that it has; ``ends``: behind the last place there is none."""
        focus = self.page.evaluate(_FOCUS)
        if ends and focus["nowhere"]:
            return
        assert not focus["nowhere"], "nothing has the focus"
        assert focus["visible"], f"nobody sees that this has the focus: {focus['name']}"
