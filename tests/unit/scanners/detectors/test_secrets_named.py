"""Values that only their names give away go; what is named alike and is no secret stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.detectors.secret_names import Naming, documents, naming, plausible
from tests.unit.scanners.detectors.secret_samples import found, is_triggered, texts
from tests.unit.scanners.samples import PATIENT

PASSWORD = "hunter22" + "x"
KEY = "k9f8e7d6" + "c5b4a392"
RANDOM = "a1b2c3d4e5" + "f6g7h8i9j0k1"

MEMBERS = [
    ({"password": PASSWORD}, PASSWORD),
    ({"Passwort": "geheim"}, "geheim"),
    ({"contraseña": PASSWORD}, PASSWORD),
    ({"密码": PASSWORD}, PASSWORD),
    ({"dbPassword": PASSWORD}, PASSWORD),
    ({"db": {"password": {"value": PASSWORD}}}, PASSWORD),
    ({"env": [{"name": "DB_PASSWORD", "value": PASSWORD}]}, PASSWORD),
    ({"env": [{"value": PASSWORD, "name": "DB_PASSWORD"}]}, PASSWORD),
    ({"headers": [{"name": "Authorization", "value": f"Bearer {KEY}"}]}, KEY),
    ({"authorization": f"Token {KEY}"}, KEY),
    ({"X-Api-Key": KEY}, KEY),
    ({"client_secret": KEY}, KEY),
    ({"clientSecret": "123e4567-e89b-12d3-a456-426614174000"}, "123e4567-e89b-12d3-a456-426614174000"),
    ({"data": {"token": RANDOM}}, RANDOM),
    ({"DATABASE_SECRET": "postgres://app:" + "pw1@h/d"}, "postgres://app:" + "pw1@h/d"),
    ({"Set-Cookie": f"sessionid={RANDOM}; HttpOnly; Path=/"}, RANDOM),
]
TEXTS = [
    (f"DB_PASSWORD={PASSWORD}", PASSWORD),
    (f"export API_KEY='{KEY}'", KEY),
    (f"client_secret: {KEY}", KEY),
    (f"password is {PASSWORD}.", PASSWORD),
    (f"your API key: {KEY}, keep it", KEY),
    (f"<password>{PASSWORD}</password>", PASSWORD),
    (f"tool --password {PASSWORD} --all", PASSWORD),
    (f'log: {{\\"password\\": \\"{PASSWORD}\\"}}', PASSWORD),
    (json.dumps({"password": PASSWORD}), PASSWORD),
    (json.dumps({"text": json.dumps({"password": PASSWORD})}), PASSWORD),
    (f"adafruit_key = {RANDOM}", RANDOM),
    (f"payos_checksum_key = {RANDOM}", RANDOM),
    (f"Cookie: theme=dark; session_token={RANDOM}; lang=en", RANDOM),
]
ORDINARY = [
    {"next_token": RANDOM},
    {"nextPageToken": RANDOM},
    {"pagination": {"token": RANDOM}},
    {"items": [], "token": RANDOM},
    {"token": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"},
    {"token": "So11111111111111111111111111111111111111112", "symbol": "SOL", "decimals": "9"},
    {"token": "123e4567-e89b-12d3-a456-426614174000"},
    {"client_token": RANDOM},
    {"idempotency_key": RANDOM},
    {"cache_key": RANDOM},
    {"file_key": RANDOM},
    {"key": "PROJ-123"},
    {"csrf_token": RANDOM},
    {"prompt_tokens": "1024", "token_count": "512"},
    {"token_type": "Bearer"},
    {"password": "string"},
    {"password": "********"},
    {"password": "${DB_PASSWORD}"},
    {"password": "<your password>"},
    {"password": "[REDACTED:password:0000]"},
    {"password": "See the vault"},
    {"password": "required"},
    {"password": True, "secret": None, "token": 7},
    {"password_policy": "min8chars!"},
    {"password_changed_at": "2024-01-01T00:00:00Z"},
    {"secret_name": "prod-db-5"},
    {"secret": "arn:aws:secretsmanager:eu-west-1:1:secret:x-5"},
    {"secretRef": {"name": "x", "key": "password"}},
    {"private_key_path": "/etc/ssl/private/key.pem"},
    {"checksum/secret": "3f9a0c1b" * 8},
    {"password_encryption": "scram-sha-256", "secret": "HS256"},
    {"api_key": "YOUR_API_KEY_123"},
    {"author": "Ana", "authority": "eu-7"},
    {"url": "https://h.example/reset?token=abc"},
    "The password must be at least 8 characters.",
    "password: required",
    "Passwords: argon2id, and a reset by mail.",
    "password_encryption = scram-sha-256",
    "password = get_password()",
    'const secret = process.env.SECRET || "not-set"',
    "secret: see docs/secret-handling.md",
    "token: str = None",
    "the token count is 123456789, and secret santa is 2024",
    f"file_key = {RANDOM}",
    f"next_token={RANDOM}",
    "curl https://user:password@h.example/",
    "Authorization: Bearer YOUR_TOKEN",
    "Cookie: theme=dark; lang=en",
    '{"password": {"type": "string", "description": "The password"}}',
]


@pytest.mark.parametrize(
    ("value", "secret"), MEMBERS, ids=lambda part: next(iter(part)) if isinstance(part, dict) else ""
)
def test_a_member_named_like_a_secret_is_one(value, secret):
    assert texts(value) == [secret]
    assert is_triggered(value)


@pytest.mark.parametrize(("text", "secret"), TEXTS)
def test_a_setting_in_a_text_is_one(text, secret):
    assert texts(text) == [secret]
    assert texts({"a": ["x", text]}) == [secret]
    assert is_triggered(text)


@pytest.mark.parametrize("value", ORDINARY, ids=str)
def test_what_is_named_alike_stays(value):
    assert found(value) == []
    assert found(json.dumps(value)) == []


def test_all_items_under_a_name_are_secret():
    assert texts({"passwords": ["hunter" + "22x", "correct" + "7horse", "string"], "n": "b2b"}) == [
        "hunter22x",
        "correct7horse",
    ]


def test_a_name_ends_where_its_object_ends():
    assert texts({"passwords": {}, "note": "hunter22x"}) == []
    assert texts({"a": {"name": "password"}, "value": "hunter22x"}) == []
    assert texts({"hint": "password", "text": "hunter22x"}) == []
    assert texts({"password": {"value": PASSWORD}}) == [PASSWORD]


def test_of_the_same_value_a_rule_says_what_it_is():
    token = "ghp_" + "aB3dE5fG7h" * 4
    assert found({"password": token}) == [("github-token", token)]
    assert found({"password": PASSWORD}) == [("password", PASSWORD)]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("DB_PASSWORD_2", Naming.PASSWORD),
        ("openweatherapikey", Naming.KEY),
        ("accessToken", Naming.KEY),
        ("GITLAB_PAT", Naming.KEY),
        ("token", Naming.PERHAPS),
        ("airbrakeToken", Naming.PERHAPS),
        ("adafruit_key", Naming.VENDOR),
        ("sort_key", Naming.NOTHING),
        ("monkey", Naming.NOTHING),
        ("compass", Naming.NOTHING),
        ("secretary", Naming.NOTHING),
        ("", Naming.NOTHING),
        ("password " * 9, Naming.NOTHING),
    ],
)
def test_names_are_read_as_words(name, says):
    assert naming(name) is says


@pytest.mark.parametrize(
    "value", ["your-key-here", "xxxx-xxxx", "${X}", "{{ secret }}", "op://vault/x/y", "test_key_1", "…"]
)
def test_manuals_show_where_a_secret_stands(value):
    assert documents(value)
    assert not documents(KEY)


@PATIENT
@given(st.text(max_size=80), st.sampled_from(Naming))
def test_any_text_is_judged(value, says):
    assert plausible(value, says) in (True, False)
    assert not plausible(value, Naming.NOTHING)


def test_what_stands_behind_many_others_under_a_name_is_seen():
    values = [f"Zx{number}!q9Lm" for number in range(500)]
    assert texts({"passwords": values}) == values
    assert texts(f"Cookie: {'abcd=efgh; ' * 2_000}sessionid={KEY}\n") == [KEY]
