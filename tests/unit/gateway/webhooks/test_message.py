"""Bodies: what they say, what they never say, and what others' words cannot do in them."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import fields, replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.webhooks.message import (
    CHAT_CHARACTERS_MAX,
    EventKind,
    HoldNews,
    chat_text,
    message_body,
    message_id,
)
from gateway.webhooks.wording import defused, exact, plain
from tests.unit.gateway.webhooks.stand_ins import AT_MS, NEWS, news


def test_the_standard_form_has_type_timestamp_and_data():
    assert json.loads(message_body(NEWS, "standard")) == {
        "type": "hold.held",
        "timestamp": "2026-09-21T14:13:20.000Z",
        "data": {
            "hold": "h7",
            "seq": 1,
            "tenant": "acme",
            "status": "held",
            "round": 1,
            "target": "orders/refund",
            "requester": {"subject": "ana@example.com", "agent": "desk"},
            "risk": "high",
            "reasons": [{"code": "over_limit", "why": "above 100 EUR"}],
            "by": ["refund-lead"],
            "show": ["/amount"],
            "expires": "2026-09-21T18:13:20.000Z",
            "actor": "gateway",
            "reason": "",
            "link": "https://people.example/holds/h7",
        },
    }


def test_who_is_asked_stands_in_the_standard_form_where_somebody_is():
    asked = replace(NEWS, event="asked", actor="lea", whom="max@example.com", reason="your customer")
    document = json.loads(message_body(asked, "standard"))
    assert document["type"] == "hold.asked"
    assert {name: document["data"][name] for name in ("actor", "whom", "reason")} == {
        "actor": "lea",
        "whom": "max@example.com",
        "reason": "your customer",
    }


def test_the_chat_form_is_one_paragraph():
    assert json.loads(message_body(NEWS, "chat")) == {
        "text": "Waits for a decision: orders/refund, called by desk for ana＠example․com "
        "(high risk, 2026-09-21 14:13 UTC). Why: above 100 EUR (over_limit). Who can decide: refund-lead. "
        "Until 2026-09-21 18:13 UTC. Details: https://people.example/holds/h7"
    }


@pytest.mark.parametrize(
    ("members", "begins", "has"),
    [
        (
            {"event": "denied", "actor": "lea", "reason": "not this week"},
            "Denied by lea: ",
            "“not this week”",
        ),
        ({"event": "approved", "actor": "lea"}, "Approved by lea: ", "Details"),
        ({"event": "approved", "actor": "gateway"}, "Not run yet, still approved: ", "Details"),
        ({"event": "expired", "reason": "nobody decided in time"}, "Expired: ", "nobody decided in time"),
        ({"event": "held", "round": 2}, "Waits for a decision again: ", "round 2"),
        ({"event": "succeeded", "actor": "lea"}, "Ran, says lea: ", "Details"),
        ({"event": "succeeded"}, "Ran: ", "Details"),
        (
            {"event": "asked", "actor": "lea", "whom": "max", "reason": "your customer"},
            "Asked of max by lea: ",
            "Note: “your customer”. Why: above 100 EUR (over_limit). Who can decide: refund-lead. Until",
        ),
        ({"event": "asked", "actor": "lea", "whom": "max"}, "Asked of max by lea: ", "UTC). Why: above"),
        ({"event": "outcome_unknown"}, "OUTCOME UNKNOWN, ", "may have run"),
        ({"event": "escalated", "by": ("lead", "cfo")}, "Escalated, still waits", "lead, cfo"),
        ({"link": ""}, "Waits", "toolgate approvals show h7"),
        ({"reasons": (("a", "b"),) * 5}, "Waits", "; 2 more."),
        ({"by": ("x",) * 9}, "Waits", "and 4 more."),
    ],
)
def test_a_chat_is_told_what_happened_and_who_did_it(members, begins, has):
    text = chat_text(replace(NEWS, **members))
    assert text.startswith(begins)
    assert has in text


@pytest.mark.abuse(94)
def test_nothing_in_a_body_decides():
    """A decision carries ``seen`` and a reviewer's credential; a body has neither, and one address: a page."""
    for form in ("standard", "chat"):
        text = message_body(NEWS, form).decode()
        assert text.count("://") == 1
        assert text.count(NEWS.link) == 1
    data = json.loads(message_body(NEWS, "standard"))["data"]
    assert data["link"] == NEWS.link
    assert not {"seen", "token", "code", "approve", "deny", "binding", "actions"} & set(data)


@pytest.mark.abuse(114)
def test_a_body_has_no_place_for_values_of_arguments():
    """News has names only: whoever adds a member here says that it can stand in a stranger's log."""
    assert {field.name for field in fields(HoldNews)} == {
        *("id", "event", "at_ms", "hold", "seq", "tenant", "status", "round", "target", "subject", "agent"),
        *("risk", "reasons", "by", "expires_ms", "actor", "reason", "whom", "link", "show"),
    }


def everywhere(text):
    """News in which others had their say wherever they can."""
    return replace(
        NEWS,
        hold=text,
        tenant=text,
        target=text,
        subject=text,
        agent=text,
        risk=text,
        status=text,
        reasons=((text, text),) * 30,
        by=(text,) * 30,
        show=(text,) * 30,
        actor=text,
        reason=text,
        whom=text,
    )


# What chats obey: Slack, Discord, Mattermost, Teams, Google Chat, Rocket.Chat and friends.
COMMANDS = [
    "<!channel>",
    "<!here|here>",
    "<@U123>",
    "<@&77>",
    "<#C1|general>",
    "<!subteam^S1>",
    "<https://evil.example|approve>",
    "<users/all>",
    "<at>all</at>",
    "@everyone",
    "@here",
    "@channel",
    "@all",
    "@room",
    "[approve](https://evil.example)",
    "![x](https://evil.example/i.png)",
    "[x]: https://evil.example",
    "https://evil.example/approve",
    "HTTPS://evil.example",
    "slack://channel?id=1",
    "www.evil.example",
    "evil.example/approve",
    "&lt;!channel&gt;",
    "```\ncode\n```",
    "# Heading",
    "> quote",
    "~~struck~~",
    "||spoiler||",
    "*bold*",
    "\\@everyone",
]


@pytest.mark.abuse(113)
@pytest.mark.parametrize("command", COMMANDS)
def test_others_words_command_no_chat(command):
    for event in get_args(EventKind):
        text = chat_text(replace(everywhere(command), event=event, link=NEWS.link))
        assert text.endswith(f" Details: {NEWS.link}")
        theirs = text.removesuffix(NEWS.link)
        assert not set(theirs) & set("<>[]@&#*`|~\\\n")
        assert "://" not in theirs
        assert ".example" not in theirs
        # The control: it is still there to be read.
        assert plain(command, characters_max=200) in unicodedata.normalize("NFKC", theirs)


def test_ordinary_words_stay_as_they_are():
    for text in (
        "above 100.50 EUR",
        "Größe: 7 × 3",
        "退款 超过 限额",
        "بازپرداخت",
        "v1.2, 50 %",
        "get_order",
    ):
        assert defused(plain(text, characters_max=99)) == text
        assert exact(text, characters_max=99) == text


@pytest.mark.abuse(113)
@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;https://evil.example\x07click\x1b]8;;\x07", "click"),
        ("a\x1b]unfinished", "a]unfinished"),
        ("\x9b2Ja", "a"),
        ("a\r\nb\tc\x0bd\u2028e", "a b c d e"),
        ("a\x00b\x07c\x7fd", "abcd"),
        ("refund \u202egnp.exe\u202c", "refund gnp.exe"),
        ("\u2066a\u2069\u200e\u200f\u061c", "a"),
        ("a\u200bb\u200c\u200d\u2060\ufeffc\u00ad", "abc"),
        ("a\U000e0041\U000e0042\U000e007fb", "ab"),
        ("a\ufe0f\U000e0100b\u3164\u115f\uffa0\u034f\u2800", "ab"),
        ("a\ud800b", "ab"),
        ("a\ue000\U0010fffdb", "ab"),
        ("  a \u00a0\u3000 b ", "a b"),
    ],
)
def test_hidden_and_controlling_characters_are_gone(text, seen):
    assert plain(text, characters_max=100) == seen


def test_two_names_never_become_one():
    hidden = exact("ad\u200bmin", characters_max=20)
    assert hidden == "ad\ufffdmin"
    assert exact("a\x1b[31m", characters_max=20) == "a\ufffd[31m"
    assert exact("a\u00a0b", characters_max=20) != exact("a b", characters_max=20)
    assert exact("admin", characters_max=20) == "admin"


@settings(deadline=None)
@given(st.text(max_size=60), st.sampled_from(get_args(EventKind)))
def test_any_text_gives_one_bounded_valid_body(text, event):
    told = replace(everywhere(text * 40), event=event, link="https://people.example/" + "h" * 400)
    for form in ("standard", "chat"):
        body = message_body(told, form)
        assert len(body) < 150_000
        value = json.loads(body.decode("utf-8", "strict"))
        said = value["text"] if form == "chat" else json.dumps(value, ensure_ascii=False)
        assert all(char.isprintable() for char in said)
        if form == "chat":
            assert len(said) <= CHAT_CHARACTERS_MAX
            assert said.endswith(told.link)


def test_an_ordinary_body_is_small():
    """Standard Webhooks asks for less than 20 kB; twenty reasons at length fit as well."""
    assert len(message_body(NEWS, "standard")) < 1_000
    assert len(message_body(replace(NEWS, reasons=(("c" * 40, "w" * 5_000),) * 50), "standard")) < 20_000


@pytest.mark.parametrize(
    "members",
    [
        {"id": "msg.1"},
        {"id": ""},
        {"id": "msg\r\nx: y"},
        {"id": "m" * 129},
        {"event": "held\n"},
        {"event": "Held.x"},
    ],
)
def test_news_that_would_mean_something_else_is_no_news(members):
    with pytest.raises(ValueError, match=r"message id|event kind"):
        replace(NEWS, **members)
    assert replace(NEWS, id="msg_1", event="held")


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "https://x/|evil>",
        "https://x/ y",
        "https://x/\n",
        "https://büro.example/holds/h7",
        "https://x/" + "y" * 600,
        "",
    ],
)
def test_a_link_that_is_no_plain_address_is_left_out(link):
    told = replace(NEWS, link=link)
    assert json.loads(message_body(told, "standard"))["data"]["link"] == ""
    assert chat_text(told).endswith("Details: toolgate approvals show h7")
    assert NEWS.page == NEWS.link


def test_the_longest_paragraph_keeps_its_link():
    for event in get_args(EventKind):
        told = replace(everywhere("w" * 3_000), event=event, link="https://people.example/" + "h" * 480)
        assert len(chat_text(told)) <= CHAT_CHARACTERS_MAX
        assert chat_text(told).endswith(told.link)


def test_one_event_is_one_message_whenever_it_is_built():
    assert message_id("h7", 3) == message_id("h7", 3) == "msg_h7_3"
    assert message_id("h7", 3) != message_id("h7", 4)
    assert news("hold.with dots" * 20, at_ms=AT_MS).id
