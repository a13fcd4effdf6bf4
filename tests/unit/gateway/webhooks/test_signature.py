"""Signatures: the specification's, and broken by any change."""

from __future__ import annotations

import base64

import pytest

from gateway.webhooks.message import message_body
from gateway.webhooks.signature import signed_headers, signing_key
from tests.unit.gateway.webhooks.stand_ins import AT_MS, KEY, NEWS, OTHER_SECRET, SECRET, is_genuine

BODY = message_body(NEWS, "standard")
NOW_S = AT_MS // 1_000


def signed(**members):
    return signed_headers([KEY], **{"message_id": NEWS.id, "timestamp_s": NOW_S, "body": BODY} | members)


def test_it_is_what_the_published_libraries_of_standard_webhooks_expect():
    # The vector that the tests of the specification's own libraries share.
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers(
        [key],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp_s=1_614_265_330,
        body=b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_what_arrives_untouched_is_genuine():
    assert is_genuine(signed(), BODY)


@pytest.mark.parametrize("place", range(0, len(BODY), 7))
def test_a_changed_body_is_not_genuine(place):
    changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
    assert not is_genuine(signed(), changed)
    assert is_genuine(signed(), BODY)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("webhook-id", "msg_h7_2"),
        ("webhook-id", NEWS.id + "."),
        ("webhook-timestamp", str(NOW_S + 1)),
        ("webhook-timestamp", "soon"),
        ("webhook-signature", ""),
        ("webhook-signature", "v1," + base64.b64encode(bytes(32)).decode()),
    ],
)
def test_a_changed_header_is_not_genuine(header, value):
    assert not is_genuine(signed() | {header: value}, BODY)
    assert is_genuine(signed(), BODY)


def test_nothing_moves_across_the_borders_of_what_is_signed():
    """A full stop joins id, time and body; an id has none, so no other three give the same text."""
    headers = signed()
    moved = headers | {"webhook-id": NEWS.id[:-2], "webhook-timestamp": str(NOW_S)}
    assert not is_genuine(moved, BODY)
    with pytest.raises(ValueError, match="message id"):
        type(NEWS)(**{name: getattr(NEWS, name) for name in NEWS.__slots__} | {"id": "msg.1"})


def test_an_old_message_is_told_by_its_time():
    assert is_genuine(signed(), BODY, now_s=NOW_S + 300)
    assert not is_genuine(signed(), BODY, now_s=NOW_S + 301)


def test_another_key_does_not_verify():
    assert not is_genuine(signed(), BODY, key=signing_key(OTHER_SECRET))


def test_while_a_receiver_changes_its_secret_both_verify():
    new = signing_key(OTHER_SECRET)
    headers = signed_headers([new, KEY], message_id=NEWS.id, timestamp_s=NOW_S, body=BODY)
    assert is_genuine(headers, BODY, key=new)
    assert is_genuine(headers, BODY, key=KEY)


def test_without_a_key_nothing_pretends_to_be_signed():
    headers = signed_headers([], message_id=NEWS.id, timestamp_s=NOW_S, body=BODY)
    assert sorted(headers) == ["webhook-id", "webhook-timestamp"]


def key_of(size):
    return "whsec_" + base64.b64encode(bytes(range(1, size + 1))).decode()


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_of_a_usual_size_is_taken(size):
    assert len(signing_key(key_of(size))) == size


@pytest.mark.abuse(108)
@pytest.mark.parametrize(
    "text",
    [
        key_of(23),
        key_of(65),
        SECRET.removeprefix("whsec_"),
        "whsec_" + SECRET,
        "whsec_changeme",
        "whsec_" + "A" * 32,
        "whsec_" + base64.b64encode(b"secret" * 6).decode(),
        SECRET + "\n",
        SECRET.replace("e", "é", 1),
        "",
    ],
)
def test_a_short_or_placeholder_secret_is_refused_and_not_shown(text):
    with pytest.raises(ValueError, match=r"must be|placeholder") as caught:
        signing_key(text)
    assert not text or text not in str(caught.value)
