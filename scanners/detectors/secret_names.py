"""Which names say that what they name is a secret, and which values can be one.

A name alone proves nothing: `next_token` names a cursor, `token_count` a number, `password_policy` a text. So
a name is read as words, words that make it harmless are looked for first, and the weaker the name, the more
its value must look like something that a machine made up.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from math import log2
from typing import Final

NAME_CHARACTERS_MAX: Final = 64
"""Longer ones are texts, not names."""

VALUE_CHARACTERS_MAX: Final = 4_096
"""Longer ones are documents, not secrets that somebody typed or a server issued."""

_NAMES_KEPT: Final = 4_096

CHECKSUM_OF: Final = "checksum/"
"""Before the name of a secret in Kubernetes: a digest, by which pods see that the secret is another one."""


class Naming(Enum):
    """What a name says about its value."""

    NOTHING = "nothing"
    PERHAPS = "perhaps"
    """Only a value that is plainly random is taken for a secret."""
    KEY = "key"
    """An API key, an access token, a client secret: made by a machine."""
    VENDOR = "vendor"
    """The key of something: only in texts, and only a random value. Members named so are mostly ids."""
    PASSWORD = "password"
    """Chosen by a person: may be short, and a word."""


CHOSEN_CHARACTERS_MIN: Final = 4
ISSUED_CHARACTERS_MIN: Final = 8
RANDOM_CHARACTERS_MIN: Final = 20
_LENGTH_MIN: Final = {
    Naming.NOTHING: VALUE_CHARACTERS_MAX + 1,
    Naming.PASSWORD: CHOSEN_CHARACTERS_MIN,
    Naming.KEY: ISSUED_CHARACTERS_MIN,
    Naming.PERHAPS: RANDOM_CHARACTERS_MIN,
    Naming.VENDOR: RANDOM_CHARACTERS_MIN,
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PASSWORDS: Final = _words(
    "password passwords passwd passwort pwd pass passphrase passcode kennwort contraseña contrasena "
    "contrasenya senha wachtwoord parola hasło haslo lösenord losenord heslo "
    "пароль 密码 密碼 パスワード 비밀번호 dbpassword "
)
_KEY_OWNERS: Final = _words(
    "api access secret private signing sign encryption encrypt decryption master account auth "
    "authorization service shared subscription license storage admin session client webhook integration "
    "deploy hmac ssh tls ssl rsa pgp gpg root app application consumer credential "
)
_TOKEN_OWNERS: Final = _words(
    "access refresh auth authentication authorization api bearer id session security secret personal "
    "oauth oauth2 bot app admin deploy private login jwt registration registry vault service root "
    "github gitlab slack npm pypi bearer web install installation impersonation "
)
_JOINED: Final = _words(
    "apikey apikeys accesskey secretkey privatekey secretaccesskey clientsecret authtoken accesstoken "
    "refreshtoken apitoken bearertoken sessiontoken idtoken apisecret appsecret authkey authorization "
    "secret secrets sharedsecret encryptionkey signingkey accountkey mot2passe jwt "
)
_HARMLESS: Final = _words(
    # Places in a list, counters, bounds.
    "next prev previous page paging pagination continuation continue cursor sync resume delta start "
    "starting skip marker scroll offset count counts total totals max min num number usage used limit "
    "limits remaining quota budget prompt completion input output cached reasoning context size length "
    "index position rate window "
    # What is said about a secret.
    "type types name names id ids arn arns url urls uri uris endpoint path paths file filename dir "
    "directory policy policies hint hints reset expires expiry expiration expire expired ttl lifetime "
    "strength enabled disabled required optional valid validity status state created updated modified "
    "rotated rotation rotate at date time last version versions description label labels title format "
    "algorithm public fingerprint thumbprint field fields column selector regex pattern error errors "
    "message help link links manager managers scope scopes provider method mode source ref refs "
    "reference env var variable schema example examples kind engine backend mount store stored is has "
    "can use uses show forgot change changed min_length "
    # Tokens and keys of other trades.
    "client_request request idempotency upload device push csrf xsrf mask eos bos pad unk special "
    "address symbol decimals balance price supply contract nft erc20 mint design sort primary foreign "
    "partition range row cache dedup object issue project board routing translation i18n hot arrow "
    "short map node group unique natural composite event metric tag config item record entity component "
    "style sheet explained generated "
)
OTHER_TRADES: Final = _words(
    # Lists in pages; coins and their contracts.
    "next prev previous page paging pages pagination continuation cursor cursors hasmore more offset "
    "limit results items total resultsize symbol decimals price chain network contract supply "
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+")

_DOCUMENTATION: Final = _words(
    "string str text bytes integer number boolean object array optional required none null nil true "
    "false undefined unknown empty default value values field input type placeholder example sample "
    "dummy fake test testing demo password passwd passphrase secret token key apikey credential "
    "credentials username user admin root changeme change redacted masked hidden sensitive encrypted "
    "confidential private public invalid expired incorrect wrong missing valid enabled disabled managed "
    "manual auto automatic plain plaintext basic bearer oauth oauth2 apikey header query cookie session "
    "never always yes no on off set unset not todo tbd nothing env environment file vault prompt ask "
    "write read readonly writeonly strong weak medium good bad reset change forgot random generated "
    "generate foo bar baz your my the a an some here any access auth authentication pass pwd server "
    "client db database postgres mysql mongodb redis rabbitmq guest anonymous secure very long and goes "
    "value1 replace with this that new old in as is "
)
_ENDINGS: Final = (
    *("apikey", "secretkey", "accesskey", "privatekey"),
    *("clientsecret", "apisecret", "appsecret", "accesstoken", "authtoken", "apitoken"),
)
_PLACEHOLDER = re.compile(
    r"""(?ix) \A (?:
        [<\[{(].* | .*[>\])}] | .*\(.* | \$.* | %\w+%? | @\w+ | [*.x•●_\#0?-]+ | \[REDACTED:.* | &lt;.*
        | .*(?:your|example|sample|dummy|placeholder|replace|insert|changeme|change[_-]me
            |redacted|goes[_-]?here|xxxx|\.\.\.|…).*
        | my[_-].*
        | (?:env|vault|op|ref|ssm|secretsmanager|keyvault|file|arn|projects|secret|kms|sops|config|self
            |this|process|os|settings|options|args|params|req|request|ctx|data|input|var|local|module)[:./\[(].*
        | [./~].*/.* | [A-Z]:\\.* | [a-z][a-z0-9+.-]*://.*
        | argon2(?:id|i|d)? | bcrypt | s?crypt | pbkdf2 | scram-sha-(?:1|256) | md5
        | (?:hmac[_-]?)?sha-?(?:1|224|256|384|512) | [hrep]s(?:256|384|512)
    ) \Z"""
)
_USERINFO = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@]*:[^\s/?#]+@")
_UUID = re.compile(r"\A[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")
_CONTRACT = re.compile(r"\A0x[0-9a-fA-F]{40}\Z")
_IDENTIFIER = re.compile(r"\A[A-Za-z]+(?:[_./:-][A-Za-z]+)*\Z")
_PROSE_CASE = re.compile(r"\A(?:[A-Z]?[a-z]+|[A-Z]+|[a-z]+(?:[A-Z][a-z]+)+|(?:[A-Z][a-z]+)+)\Z")
_TOKEN = re.compile(r"\A[A-Za-z0-9_+/=.~:|!*$@%-]+\Z")
_MOMENT = re.compile(r"\A\d{4}-\d\d-\d\d(?:[T ].*)?\Z")


def words_of(name: str) -> list[str]:
    """`dbPassword-1`, `DB_PASSWORD_1`: db, password, 1."""
    return [word.lower() for word in _WORDS.findall(name)]


@lru_cache(maxsize=_NAMES_KEPT)
def naming(name: str) -> Naming:
    """What the name says about its value."""
    words = words_of(name) if len(name) <= NAME_CHARACTERS_MAX else []
    known = set(words)
    if not words or not _HARMLESS.isdisjoint(known) or name.startswith(CHECKSUM_OF):
        return Naming.NOTHING
    if not PASSWORDS.isdisjoint(known) or any(word.endswith(("password", "passwd")) for word in words):
        return Naming.PASSWORD
    joined = "".join(words)
    if any(word.endswith(_ENDINGS) for word in words):
        return Naming.KEY
    if not _JOINED.isdisjoint(known) or joined in _JOINED or "pat" in known:
        return Naming.KEY
    pairs = set(pairwise(words))
    if any(word in {"key", "keys"} and owner in _KEY_OWNERS for owner, word in pairs):
        return Naming.KEY
    if any(word in {"token", "tokens"} and owner in _TOKEN_OWNERS for owner, word in pairs):
        return Naming.KEY
    if not known.isdisjoint({"token", "tokens", "credential", "credentials", "auth"}):
        return Naming.PERHAPS if "client" not in known else Naming.NOTHING
    if any(word.endswith(("token", "secret")) for word in words):
        return Naming.PERHAPS
    return Naming.VENDOR if len(words) > 1 and words[-1] in {"key", "keys"} else Naming.NOTHING


def speaks_of_other_trades(name: str) -> bool:
    """Whether it is the name of something beside which a token is a cursor or a coin."""
    return not OTHER_TRADES.isdisjoint(words_of(name)) if len(name) <= NAME_CHARACTERS_MAX else False


def plausible(value: str, says: Naming, *, quoted: bool = True) -> bool:
    """Whether a value that is named like this can be a secret.

    Args:
        value: the whole value.
        says: what its name says.
        quoted: it is a value of its own, and no word of a sentence that happens to follow the name.
    """
    if not _LENGTH_MIN[says] <= len(value) <= VALUE_CHARACTERS_MAX:
        return False
    if _USERINFO.match(value):
        return True
    if _MOMENT.match(value) or any(character.isspace() for character in value):
        return False
    if documents(value):
        return False
    if len(set(value)) < 4:
        return False
    if says is Naming.PASSWORD:
        return _chosen(value, quoted=quoted)
    return issued(value) if says is Naming.KEY else random_looking(value)


def documents(value: str) -> bool:
    """Whether it stands where a secret would stand: a placeholder, a reference, words of a manual."""
    if _PLACEHOLDER.match(value):
        return True
    words = words_of(value)
    return (
        bool(words)
        and all(word in _DOCUMENTATION or word.isdigit() for word in words)
        and not value.isdigit()
    )


def _chosen(value: str, *, quoted: bool) -> bool:
    if not quoted:
        return len(value) >= 6 and not _IDENTIFIER.match(value) and _mixed(value)
    return len(value) >= 6 or not value.isalpha()


def issued(value: str) -> bool:
    """Whether a machine can have issued it: one word, long enough, and no word of a language."""
    if len(value) < ISSUED_CHARACTERS_MIN or not _TOKEN.match(value):
        return False
    if _IDENTIFIER.match(value):
        return len(value) >= 16 and not all(_PROSE_CASE.match(part) for part in re.split(r"[_./:-]", value))
    return _mixed(value) and (len(value) >= 16 or entropy(value) >= 2.5)


def random_looking(value: str) -> bool:
    """Whether nobody would write it by hand; identifiers of well-known forms are none."""
    if len(value) < RANDOM_CHARACTERS_MIN or not _TOKEN.match(value) or _UUID.match(value):
        return False
    if value.startswith("eyJ") and "." not in value:  # JSON in base64: how cursors are made
        return False
    if _CONTRACT.match(value):
        return False
    return _mixed(value) and not _IDENTIFIER.match(value) and entropy(value) >= 3.2


def is_uuid(value: str) -> bool:
    """Whether it has the form of a UUID."""
    return _UUID.match(value) is not None


def _mixed(value: str) -> bool:
    letters = sum(character.isalpha() for character in value)
    digits = sum(character.isdigit() for character in value)
    return letters > 0 and (digits > 0 or letters < len(value))


def entropy(value: str) -> float:
    """Bits for each character."""
    count = len(value)
    return -sum(number / count * log2(number / count) for number in Counter(value).values())
