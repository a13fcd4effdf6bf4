"""A value that only our own pages know for a login: what another page has a browser send does not have it."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from gateway.people.errors import PeopleRefusal

if TYPE_CHECKING:
    from gateway.people.authentication import Known

KEY_BYTES = 32


class FormTokens:
    """One value for each login, as long as both last."""

    def __init__(self, key: bytes) -> None:
        """``key``: random, and new with every start."""
        self._key = key

    def of(self, known: Known) -> str:
        """What every form of this login's pages carries. Says nothing about the login's own value."""
        return hmac.digest(self._key, b"form " + known.session.encode(), hashlib.sha256).hex()

    def check(self, known: Known, token: str) -> None:
        """Refuse a form that was not made for this login.

        Raises:
            PeopleRefusal: it was not, or before the gateway was started again.
        """
        if not hmac.compare_digest(self.of(known).encode(), token.encode("utf-8", "surrogatepass")):
            raise PeopleRefusal(
                "wrong_form",
                "this form was not made for this login; nothing was done",
                next_step="open the page again",
            )
