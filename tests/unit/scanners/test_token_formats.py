"""Every rule does what its examples say, says why, and leaves ordinary values alone."""

from __future__ import annotations

import pytest

from scanners.errors import RulesRejected
from scanners.token_formats import LEFT_OUT, read_rules
from tests.unit.scanners.samples import HOME, RULES, redactor

NOTHING_KNOWN = redactor()
EXAMPLES = [(rule, example) for rule in RULES.rules for example in rule.examples]
COUNTER_EXAMPLES = [(rule, example) for rule in RULES.rules for example in rule.counter_examples]

ORDINARY = [
    "CAUQAA",
    "CiAKGjBpNDd2Nmp2Zml2cXRwYjBpOXA",
    "eyJvZmZzZXQiOjEwMCwibGltaXQiOjUwfQ==",
    "Y3Vyc29yOnYyOpK5MjAyMy0wMS0wMVQwMDowMDowMFo=",
    "QVFIUjVQYmhNMFh5Q3dQUkV3bGd5YTBfTDh4b1BHQ1ZAvZAXo1UkZAQUThISjZAK",
    "next_page_token=AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIIIJJJJ",
    "https://api.example/items?page_token=CjsKGQoLb3JkZXItMTIzNDUSCgiA8L-xBhCA3YEC&page_size=50",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    'ETag: W/"33a64df551425fcc55e4d42a148795d9f25f89d4"',
    "123e4567-e89b-12d3-a456-426614174000",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "x-amz-request-id: 79104EXAMPLEB723",
    "x-request-id: req_011CSHoEeqs5C35K2UUqR7Fy",
    "prompt_tokens=1024 completion_tokens=512 total_tokens=1536",
    "idempotency-key-0123456789abcdef0123456789abcdef",
    "pk_live_AbCdEfGhIjKlMnOpQrStUvWx",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ana@host",
    "arn:aws:iam::123456789012:user/ana",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "DE89370400440532013000",
    "/usr/lib/python3.11/site-packages/sklearn/tests/test_sk-learn.py",
    "the secret is in the bearer token, see password policy; user = ana",
]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=lambda part: getattr(part, "id", None))
def test_an_example_holds_exactly_one_secret_of_its_kind(rule, example):
    found = NOTHING_KNOWN.text(example)
    assert [finding.kind for finding in found.findings] == [rule.kind]
    # The rule by itself sees it, too: no other covers for it.
    assert rule.id in {span.rule for span in RULES.spans(example.encode(), spans_max=100)}


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=lambda part: getattr(part, "id", None))
def test_it_is_found_among_other_text_of_any_script(rule, example):
    for text in (f"geheim: {example} Ende", f"密钥是 {example} 谢谢", f'"{example}"', f"({example})"):
        assert [finding.kind for finding in NOTHING_KNOWN.text(text).findings] == [rule.kind]


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_what_follows_the_dot_of_an_example_is_gone(rule):
    dotted = [example for example in rule.matches if LEFT_OUT in example]
    assert dotted
    for example in dotted:
        view = NOTHING_KNOWN.text(example.replace(LEFT_OUT, "")).text
        assert example.partition(LEFT_OUT)[2][:6] not in view


@pytest.mark.parametrize(("rule", "example"), COUNTER_EXAMPLES, ids=lambda part: getattr(part, "id", None))
def test_a_counter_example_stays(rule, example):
    assert NOTHING_KNOWN.text(example).text == example


@pytest.mark.parametrize("text", ORDINARY)
def test_cursors_digests_ids_and_counters_stay(text):
    assert NOTHING_KNOWN.text(text).text == text
    assert NOTHING_KNOWN.json_value({"next_page_token": text}).findings == ()


def test_no_end_of_a_longer_secret_is_left():
    long = "ghp_" + "aB3dE5fG7h" * 40
    found = NOTHING_KNOWN.text(f"<{long}>")
    assert found.text == f"<[REDACTED:github-token:{found.findings[0].digest}]>"


def test_a_whole_private_key_is_one_marker():
    lines = "\n".join("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj" for _ in range(20))
    frame = "-----{} RSA PRIVATE" + " KEY-----"
    whole = f"{frame.format('BEGIN')}\n{lines}\n{frame.format('END')}"
    for key in (whole, whole.replace("\n", "\\n"), whole.replace("\n", "\r\n"), whole.rpartition("\n")[0]):
        found = NOTHING_KNOWN.text(f"key:\n{key}\n.")
        assert found.text == f"key:\n[REDACTED:private-key:{found.findings[0].digest}]\n."


def test_two_private_keys_are_two_markers():
    frame = "-----{} PRIVATE" + " KEY-----"
    key = f"{frame.format('BEGIN')}\nMIIEvQIBADANBgkqhkiG9w0BAQ\n{frame.format('END')}"
    assert len(NOTHING_KNOWN.text(f"{key}\nand\n{key}").findings) == 2


def test_of_a_connection_string_only_the_password_goes():
    found = NOTHING_KNOWN.text("postgres://app:" + "s3cr€t" + "@db.example:5432/orders?sslmode=require")
    mark = f"[REDACTED:password:{found.findings[0].digest}]"
    assert found.text == f"postgres://app:{mark}@db.example:5432/orders?sslmode=require"


def test_the_readme_names_every_rule():
    text = (HOME / "README.md").read_text("utf-8")
    missing = [rule.id for rule in RULES.rules if rule.id not in text or f"`{rule.kind}`" not in text]
    assert missing == []


def test_there_are_rules_to_look_at():
    assert len(RULES.rules) > 60
    assert len({rule.id for rule in RULES.rules}) == len(RULES.rules)


GOOD = """
version = 1
[[rule]]
id = "a-rule"
kind = "a-kind"
pattern = 'abc_[0-9]{8}'
reason = "why"
matches = ["abc_·12345678"]
differs = ["abc_1"]
"""


def test_a_file_that_is_in_order_is_read():
    rules = read_rules(GOOD)
    assert rules.kinds == {"a-kind"}
    assert rules.rules[0].examples == ("abc_12345678",)


def test_a_branch_without_the_group_is_secret_as_a_whole():
    rules = read_rules(GOOD.replace("abc_[0-9]{8}", "abc_([0-9]{8})|xyz_[0-9]{8}"))
    found = [span.secret for span in rules.spans(b"abc_12345678 xyz_12345678", spans_max=9)]
    assert found == [b"12345678", b"xyz_12345678"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = [", "not TOML"),
        (GOOD.replace("version = 1", "version = 2"), "version"),
        (GOOD + 'surprise = "x"\n', "surprise"),
        (GOOD + GOOD.partition("version = 1")[2], "two of that id"),
        (GOOD.replace('"a-kind"', '"credential"'), "not for rules"),
        (GOOD.replace('"a-kind"', '"A Kind"'), "kind"),
        (GOOD.replace("{8}'", "{8}('"), "a-rule"),
        (GOOD.replace("abc_[0-9]{8}", "(?=abc)"), "a-rule"),
        (GOOD.replace("abc_[0-9]{8}", "(a)(b)"), "one group"),
        (GOOD.replace("abc_[0-9]{8}", "a*"), "empty text"),
        (GOOD.replace("abc_", "äbc_"), "pattern"),
        (GOOD.replace('differs = ["abc_1"]', ""), "differs"),
        (GOOD.replace('matches = ["abc_·12345678"]', "matches = []"), "matches"),
        (GOOD.replace('reason = "why"', 'trigger = "("\nreason = "why"'), "cannot be compiled"),
        ("version = 1\n", "rule"),
    ],
)
def test_a_file_that_is_not_is_rejected_with_the_reason(text, said):
    with pytest.raises(RulesRejected, match=said):
        read_rules(text)
