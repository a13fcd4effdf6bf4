"""Which URIs a resource template stands for (RFC 6570, as MCP uses it), and what may be a URI at all.

Matching only has to find a template's upstream and definition; what a variable holds is the upstream's
business. So an expression is matched by the characters it may expand to, in linear time.
"""

from __future__ import annotations

import re

import re2

from gateway.errors import InvalidParams

URI_CHARACTERS_MAX = 2048
TEMPLATE_CHARACTERS_MAX = 1024
EXPRESSIONS_MAX = 20

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+")
_EXPRESSION = re.compile(r"\{([+#./;?&]?)([A-Za-z0-9_.,:*%]+)\}")

# What an expression of each operator may become. Reserved expansion keeps slashes, the others encode them.
_EXPANDS_TO = {
    "": r"[^/?#]*",
    "+": r".*",
    "#": r"(?:#.*)?",
    ".": r"(?:\.[^/?#]*)?",
    "/": r"(?:/[^?#]*)?",
    ";": r"(?:;[^/?#]*)?",
    "?": r"(?:\?[^#]*)?",
    "&": r"(?:&[^#]*)?",
}


def is_uri(text: str) -> bool:
    """Whether the text may name a resource: a scheme, something behind it, nothing that cannot be seen."""
    return len(text) <= URI_CHARACTERS_MAX and text.isprintable() and _URI.fullmatch(text) is not None


class UriPattern:
    """A compiled URI template."""

    __slots__ = ("_matches",)

    def __init__(self, template: str) -> None:
        """Compile.

        Raises:
            InvalidParams: not a template we read, or too long.
        """
        if len(template) > TEMPLATE_CHARACTERS_MAX or not template.isprintable():
            raise InvalidParams(
                f"the uriTemplate has hidden characters or is over {TEMPLATE_CHARACTERS_MAX} long"
            )
        pieces: list[str] = []
        end = 0
        for count, found in enumerate(_EXPRESSION.finditer(template)):
            if count >= EXPRESSIONS_MAX:
                raise InvalidParams(f"the uriTemplate has more than {EXPRESSIONS_MAX} expressions")
            pieces += [_literal(template[end : found.start()]), _EXPANDS_TO[found.group(1)]]
            end = found.end()
        pieces.append(_literal(template[end:]))
        self._matches = re2.compile("".join(pieces)).fullmatch

    def stands_for(self, uri: str) -> bool:
        """Whether the template can expand to this URI."""
        return self._matches(uri) is not None


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise InvalidParams("the uriTemplate has an expression that RFC 6570 does not know")
    return str(re2.escape(text))
