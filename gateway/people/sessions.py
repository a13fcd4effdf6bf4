"""Reviewers' logins: in memory only, found by hash. A restart ends them all, and no file can be stolen.

A login says who somebody is, never what they may. That is what the reviewers' directory says at each request,
so a person who was demoted or removed has lost it at once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.people.settings import PeopleSettings

SECRET_BYTES = 32
COOKIE = "toolgate_session"
SECURE_COOKIE = "__Host-toolgate_session"
"""The prefix binds it to https and to this host alone."""


@dataclass(frozen=True, slots=True)
class PersonKey:
    """Who, in which tenant."""

    tenant: str
    id: str


@dataclass(slots=True)
class _Session:
    who: PersonKey
    began_s: float
    used_s: float


class ReviewerSessions:
    """Every login there is. The values given out are kept as hashes: a dump of memory opens none."""

    def __init__(
        self,
        settings: PeopleSettings,
        *,
        clock_s: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """``clock_s`` only goes on; ``random_bytes`` is a cryptographic source."""
        self._settings = settings
        self._clock_s = clock_s
        self._random_bytes = random_bytes
        self._sessions: dict[bytes, _Session] = {}

    def __len__(self) -> int:
        """Logins kept, those included that are over and were not looked at since."""
        return len(self._sessions)

    def begin(self, who: PersonKey) -> str:
        """A new login; what the browser has to bring with each request."""
        settings = self._settings
        _make_room(self._sessions, who, settings.sessions_per_person_max, settings.sessions_max)
        value = self._random_bytes(SECRET_BYTES).hex()
        now_s = self._clock_s()
        self._sessions[_key(value)] = _Session(who, now_s, now_s)
        return value

    def find(self, value: str, *, use: bool) -> PersonKey | None:
        """Whose login it is, or None; ``use`` is false where no person did anything."""
        key = _key(value)
        session = self._sessions.get(key)
        if session is None:
            return None
        now_s = self._clock_s()
        if (
            now_s - session.used_s >= self._settings.session_idle_s
            or now_s - session.began_s >= self._settings.session_s
        ):
            del self._sessions[key]
            return None
        if use:
            session.used_s = now_s
        return session.who

    def end(self, value: str) -> PersonKey | None:
        """Log out; whose it was."""
        session = self._sessions.pop(_key(value), None)
        return None if session is None else session.who


@dataclass(frozen=True, slots=True)
class _Code:
    who: PersonKey
    until_s: float


class LoginCodes:
    """One-time codes of login links: in memory, hashed, good once and for a short while."""

    def __init__(
        self,
        settings: PeopleSettings,
        *,
        clock_s: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """As for ``ReviewerSessions``."""
        self._settings = settings
        self._clock_s = clock_s
        self._random_bytes = random_bytes
        self._codes: dict[bytes, _Code] = {}

    def __len__(self) -> int:
        """Codes kept, those included that are over."""
        return len(self._codes)

    def make(self, who: PersonKey) -> str:
        """A code for this person."""
        settings = self._settings
        _make_room(self._codes, who, settings.login_codes_per_person_max, settings.login_codes_max)
        value = self._random_bytes(SECRET_BYTES).hex()
        self._codes[_key(value)] = _Code(who, self._clock_s() + settings.login_code_s)
        return value

    def use_up(self, value: str) -> PersonKey | None:
        """Whose code it is; it is none any more."""
        code = self._codes.pop(_key(value), None)
        if code is None or self._clock_s() >= code.until_s:
            return None
        return code.who


def _key(value: str) -> bytes:
    """Looked up by hash, so that the time of an answer says nothing about the values kept."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()


def _make_room(
    kept: dict[bytes, _Session] | dict[bytes, _Code], who: PersonKey, per_person_max: int, most: int
) -> None:
    """The oldest make room: of this person first, so that nobody pushes others out."""
    own = [key for key, one in kept.items() if one.who == who]
    for key in own[: max(0, len(own) - per_person_max + 1)]:
        del kept[key]
    while len(kept) >= most:
        del kept[next(iter(kept))]
