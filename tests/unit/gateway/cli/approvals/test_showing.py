"""The sheet: exactly what would run, in the order in which a reviewer reads, with nothing hidden or left out."""

import hashlib
import io
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from gateway.cli.approvals.showing import sheet_lines
from gateway.people.sheet.looking import CHARACTERS_MAX, arguments_of, confirmation
from tests.unit.gateway.cli.approvals.screens import model
from tests.unit.gateway.cli.approvals.sheets import ID, SEEN, canonical, place, row, sheet

HOSTILE = (
    "\x1b[2J\x1b]52;c;eA==\x07\x1b]8;;http://evil.example\x1b\\\u202e\u200b\u3164\U000e0041\ud800\r\n\x9b31m"
)
ARGUMENTS_SHA256 = hashlib.sha256(b'{"amount":250,"order_id":"A-1001"}').hexdigest()
KEPT = {"held", "high", "execute", "approve", "denied", "unknown"}
"""Words of the API, which nobody else writes."""


def lines(value, *, full=False, width=100):
    return [line.plain for line in sheet_lines(model(value), width=width, full=full)]


def text(value, **more):
    return "\n".join(lines(value, **more))


def value_at(value, place, **more):
    """What stands behind the rule at a place, its lines joined."""
    found = lines(value, **more)
    start = next(index for index, line in enumerate(found) if line.startswith(f"  {place} "))
    whole = [found[start].split("│ ", 1)[1]]
    for line in found[start + 1 :]:
        if not line.startswith(" ") or "│ " not in line or line.split("│ ", 1)[0].strip():
            break
        whole.append(line.split("│ ", 1)[1])
    return "".join(whole)


def test_a_sheet_reads_like_this():
    assert lines(sheet(similar=[])) == [
        f"HELD  {ID}  risk HIGH",
        "  who         agent desk, for user ana@example.com",
        "  client      support-bot 1.2 (so it says)",
        "  waiting     since 2026-09-21 14:00:00Z, 15 min",
        "  time left   3 h 45 min, until 2026-09-21 18:00:00Z; then it is denied by itself",
        "  caller      the agent still waits; once approved, the gateway runs it and keeps the result for the",
        "              agent",
        "  decided by  one person: refund-lead",
        "",
        "desk, for ana@example.com, wants to call refund on payments with amount 250.",
        "",
        "What would run: tools/call payments/refund",
        "    called by its server: Refund an order",
        f"    34 bytes of JSON, SHA-256 {ARGUMENTS_SHA256}",
        "  /amount    number  │ 250",
        '  /order_id  string  │ "A-1001"',
        "",
        "Risk: high",
        "  why         above 100 EUR  (over_limit, toolgate.rules.refunds)",
        "    refunds.rego:12",
        "",
        "Earlier decisions about this tool",
        "    none",
        "",
        "What happened so far",
        '  session     s-17  workflow {"id": "w-9"}',
        "  1           2026-09-21 14:00:00Z  held by gateway, round 1",
        "",
        "What to type next",
        f"    toolgate approvals approve {ID[:12]} --seen {SEEN[:16]}",
        f"    toolgate approvals deny {ID[:12]} --reason TEXT",
        f"    toolgate approvals edit {ID[:12]} --set /NAME=VALUE",
        f"    toolgate approvals claim {ID[:12]}",
    ]


@pytest.mark.abuse(81)
def test_what_is_shown_is_the_text_that_an_approval_is_about_and_no_other_form_of_it():
    shown = sheet(arguments={"amount": 1}, arguments_text='{"amount":1.0,"note":"  x  "}')
    assert value_at(shown, "/amount") == "1.0"
    assert value_at(shown, "/note") == '"  x  "'


@pytest.mark.abuse(82)
@pytest.mark.parametrize("place", ["value", "name"])
def test_what_hides_in_the_arguments_is_visible_and_announced(place):
    arguments = {"amount": 1, "note": HOSTILE} if place == "value" else {"amount": 1, f"x{HOSTILE}": 1}
    shown = text(sheet(arguments))
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e\u3164\U000e0041]", shown) is None
    for mark in ("‹ESC›[2J", "‹U+202E›", "‹U+200B›", "‹U+3164›", "‹U+E0041›", "‹U+009B›"):
        assert mark in shown.replace("\n", "").replace("  ┆ ", "")
    for name in (
        "U+202E RIGHT-TO-LEFT OVERRIDE",
        "U+200B ZERO WIDTH SPACE",
        "U+E0041 TAG LATIN CAPITAL LETTER A",
    ):
        assert f"! made visible: {name}" in shown
    assert "! made visible" not in text(sheet({"amount": 1, "note": "a note\nof two lines, Grüße"}))


def poisoned(value):
    """The same with something hostile behind every string."""
    if isinstance(value, dict):
        return {name: poisoned(member) for name, member in value.items()}
    if isinstance(value, list):
        return [poisoned(element) for element in value]
    return value + HOSTILE if isinstance(value, str) and value not in KEPT else value


@pytest.mark.abuse(68)
def test_no_field_of_a_sheet_can_act_on_the_terminal_whatever_it_holds():
    value = sheet(
        {"amount": 1, "note": "n"},
        hold=row(
            claimed_by="max",
            reason="why",
            reason_by="lea",
            outcome={"kind": "unknown", "code": "lost", "is_error": False},
        ),
        original_text="x",
        escalate_to=["boss"],
        may_decide="no",
        similar=[
            {
                "id": "a" * 20,
                "status": "denied",
                "updated": "2026",
                "by": "b",
                "reason": "r",
                "subject": "s",
                "same": True,
            }
        ],
        votes=[
            {
                "person": "p",
                "verdict": "approve",
                "round": 1,
                "at": "2026",
                "names": ["n"],
                "single_user": True,
                "how": "token",
                "reason": "r",
            }
        ],
        redactions=[{"pointer": "/note", "kind": "k"}],
        places=[place(), place(certain=False)],
        policy_moved=True,
    )
    written = io.StringIO()
    console = Console(
        file=written, force_terminal=True, color_system="truecolor", width=90, highlight=False, markup=False
    )
    hostile = poisoned(value)
    for found_at in hostile["places"]:
        # Whose they are is compared, so they are as hostile as the reason's.
        assert found_at["code"] == hostile["hold"]["reasons"][0]["code"]
    for line in sheet_lines(model(hostile), width=90, full=True):
        console.print(line, soft_wrap=True)
    # What is left of escapes is the colours of ours.
    found = re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue())
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e\u2028\u3164\U000e0041]", found) is None
    assert "‹ESC›" in found


@pytest.mark.abuse(83)
@settings(max_examples=60, deadline=None)
@given(
    st.text(
        st.characters(exclude_categories=("Cs",)), min_size=CHARACTERS_MAX + 1, max_size=CHARACTERS_MAX + 400
    )
)
def test_a_long_value_says_how_long_it_is_and_what_is_not_shown(long):
    shown = sheet({"amount": 1, "body": long})
    found = text(shown)
    assert f"of {len(long):,} characters are not shown here" in found
    assert hashlib.sha256(long.encode()).hexdigest() in found.replace("\n      ", "")
    assert "are not shown" not in text(shown, full=True)


@pytest.mark.abuse(83)
def test_the_middle_of_a_long_value_is_shown_with_full_and_its_end_always():
    body = "head " + "x" * 3_000 + " MIDDLE " + "x" * 3_000 + " tail"
    shown = sheet({"body": body})
    assert '"head ' in text(shown)
    assert 'tail"' in text(shown)
    assert "MIDDLE" not in text(shown)
    assert value_at(shown, "/body", full=True) == f'"{body}"'


@pytest.mark.abuse(83)
def test_ten_thousand_names_are_all_shown():
    found = lines(sheet({f"name{number}": number for number in range(10_000)}))
    assert sum(1 for line in found if re.match(r"  /name[0-9]+ +number +│ [0-9]+$", line)) == 10_000


@pytest.mark.abuse(83)
@pytest.mark.parametrize(
    "changes",
    [
        {"uninspectable": "the arguments have 5000000 bytes", "arguments_text": ""},
        {"arguments_text": '{"a":1,"a":2}'},
        {"arguments_text": "[" * 5_000},
        {"redactions": [{"pointer": "", "kind": "crowded"}]},
    ],
    ids=["too large", "read in two ways", "too deep", "all hidden"],
)
def test_what_nobody_can_look_at_is_said_to_be_so_and_offered_for_denial_only(changes):
    found = text(sheet(**changes))
    assert "cannot be looked at, so nobody can approve it" in found
    assert "toolgate approvals approve" not in found
    assert "toolgate approvals deny" in found
    assert "toolgate approvals approve" in text(sheet())


@pytest.mark.abuse(77)
def test_a_marker_of_ours_is_told_from_one_that_came_with_the_text():
    marker = "[REDACTED:github-token:3f9a]"
    ours = text(sheet({"note": marker}, redactions=[{"pointer": "/note", "kind": "github-token"}]))
    foreign = text(sheet({"note": marker}, redactions=[{"pointer": "/note", "kind": "foreign-marker"}]))
    assert "a secret is hidden here: github-token" in ours
    assert "came with the text and stands for nothing" in foreign
    assert "a secret is hidden" not in foreign


def test_the_bytes_of_an_address_stay_and_its_parts_are_told():
    found = text(sheet({"to": "https://good.example@evil.example/x"}))
    assert '│ "https://good.example@evil.example/x"' in found
    assert "address: host evil.example, with good.example before it" in found


@pytest.mark.abuse(97)
def test_an_edit_is_shown_as_what_changed():
    original = canonical({"amount": 500, "order_id": "A-1001", "rush": True})
    found = lines(sheet(hold=row(edited=True), original_text=original))
    start = found.index("What a reviewer changed (- the agent's, + what would run)")
    assert found[start + 1 : start + 6] == [
        "    /amount",
        "    - number  │ 500",
        "    + number  │ 250",
        "    /rush",
        "    - boolean │ true",
    ]
    assert "What a reviewer changed" not in text(sheet())


@pytest.mark.abuse(97)
def test_long_texts_that_differ_in_the_middle_are_shown_where_they_differ():
    before, after = "x" * 4_000 + " pay 10 " + "x" * 4_000, "x" * 4_000 + " pay 99 " + "x" * 4_000
    found = text(sheet({"body": after}, original_text=canonical({"body": before})))
    shown = found[found.index("What a reviewer changed") :]
    assert "pay 10" in shown
    assert "pay 99" in shown
    assert "characters 3,946 to 4,067 of 8,008" in shown or re.search(
        r"characters 3,9[0-9]{2} to 4,0[0-9]{2} of 8,008", shown
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"callers_waiting": 0}, "nobody waits at this moment; once approved, the gateway runs it"),
        ({"on_approval": "grant"}, "the agent's identical call runs it, one time"),
        (
            {"quorum": 2, "by": [["a", "b"], ["c"]], "approvals": 1},
            "2 different people: one of a, b and c; 1 said yes",
        ),
        ({"claimed_by": "max@example.com"}, "claimed by  max@example.com"),
        ({"single_user": True}, "are the only reviewer here"),
        ({"group_size": 3}, "3 nearly identical calls of this session wait; each is decided alone"),
        ({"show": ["/iban"]}, "a rule wants /iban looked at, and it is not among the arguments"),
        ({"client": ""}, "does not say what it is"),
        ({"round": 2}, "risk HIGH  round 2"),
        (
            {"kept_back": "definition_new: nobody has looked at it yet: toolgate trust payments"},
            "before its definition is pinned; definition_new: nobody has looked at it yet: toolgate trust payments",
        ),
    ],
)
def test_it_says_who_decides_who_waits_and_what_happens_then(changes, said):
    assert said in text(sheet(hold=row(**changes))).replace("\n              ", " ")
    assert said not in text(sheet()).replace("\n              ", " ")


@pytest.mark.parametrize(
    ("status", "next_one"),
    [
        ("outcome_unknown", "toolgate approvals resolve"),
        ("approved", "toolgate approvals deny"),
        ("denied", "nothing is left to decide"),
        ("executing", "nothing is left to decide"),
    ],
)
def test_what_to_type_next_fits_where_it_stands(status, next_one):
    assert next_one in text(sheet(hold=row(status=status)))
    assert "toolgate approvals approve" not in text(sheet(hold=row(status=status)))


def test_who_may_not_decide_is_told_so():
    found = text(sheet(may_decide="decided by refund-lead"))
    assert "you may not decide it: decided by refund-lead" in found
    assert "toolgate approvals approve" not in found


# --- the rules that hold it -----------------------------------------------------------------------


def rules(value, **more):
    """The lines from the risk on."""
    found = lines(value, **more)
    start = found.index("Risk: high")
    return found[start + 1 : found.index("", start)]


WHY = "  why         above 100 EUR  (over_limit, toolgate.rules.refunds)"


def test_the_text_of_a_rule_is_shown_with_full_line_by_line():
    assert rules(sheet(), full=True) == [
        WHY,
        "    refunds.rego:12",
        "    │ # Above it a person agrees.",
        '    │ hold contains "over_limit" if {',
        "    │   not small",
        "    │ }",
    ]
    assert rules(sheet()) == [WHY, "    refunds.rego:12"]


def test_every_reason_has_the_places_of_its_own_rules_beneath_it():
    reasons = [
        {"code": code, "why": code, "rule": rule}
        for code, rule in (("over_limit", "a"), ("late", "a"), ("late", "b"))
    ]
    places = [
        place(rule="a", row=1),
        place(rule="a", row=2),
        place(rule="b", code="late", row=3, file="more/b.rego"),
    ]
    assert rules(sheet(hold=row(reasons=reasons), places=places)) == [
        "  why         over_limit  (over_limit, a)",
        "    refunds.rego:1",
        "    refunds.rego:2",
        "  why         late  (late, a)",
        "    no rule is listed that says so in the policy in force",
        "  why         late  (late, b)",
        "    more/b.rego:3",
    ]


def test_what_is_not_certain_or_not_listed_of_the_rules_is_said():
    assert rules(sheet(places=[place(certain=False)])) == [
        WHY,
        "    perhaps, for its code is worked out: refunds.rego:12",
    ]
    assert "1,234 more rules could be meant" in text(sheet(places_left_out=1_234))
    assert "more rules could be meant" not in text(sheet())


def test_a_policy_that_has_changed_since_is_said_to_have():
    moved = "the policy has changed since this call was held"
    assert moved in text(sheet(policy_moved=True))
    assert moved in text(sheet(policy_moved=True, places=[]))
    assert moved not in text(sheet())
    again = "asked again before it runs"
    assert again in " ".join(text(sheet(policy_moved=True)).split())
    assert again not in " ".join(text(sheet(policy_moved=True, hold=row(status="denied"))).split())


def test_blank_lines_of_a_rule_stay_and_what_hides_in_it_is_visible():
    hidden = place(text='hold contains "x" if {\n\n\t\tinput.a\u202e # \u0430\t\r}')
    assert rules(sheet(places=[hidden]), full=True)[2:] == [
        '    │ hold contains "x" if {',
        "    │  ",
        "    │     input.a‹U+202E› # ‹Cyrillic›а‹TAB›‹CR›}‹Latin›",
    ]


# --- what has to be typed for a high risk ---------------------------------------------------------


def typed(value):
    found = model(value)
    return confirmation(found, arguments_of(found))


def test_a_high_risk_is_confirmed_by_the_first_argument_that_a_rule_wants_seen():
    assert typed(sheet()) == ("250", "the value of /amount")
    assert typed(sheet({"to": {"name": "Lea Weber"}}, hold=row(show=["/to/name"]))) == (
        "Lea Weber",
        "the value of /to/name",
    )


@pytest.mark.parametrize(
    ("arguments", "show", "more"),
    [
        ({"amount": True}, ["/amount"], {}),
        ({"amount": "p\u0430ypal"}, ["/amount"], {}),
        ({"amount": "x" * 65}, ["/amount"], {}),
        ({"amount": ""}, ["/amount"], {}),
        ({"amount": " "}, ["/amount"], {}),
        ({"amount": "[REDACTED:x:0000]"}, ["/amount"], {"redactions": [{"pointer": "/amount", "kind": "x"}]}),
        ({"amount": {"a": 1}}, ["/amount"], {}),
        ({"amount": 5}, ["/other"], {}),
        ({"amount": 5}, [], {}),
    ],
)
def test_what_cannot_be_typed_or_says_nothing_is_not_asked_for(arguments, show, more):
    assert typed(sheet(arguments, hold=row(show=show), **more)) == ("refund", "the name of the tool")


def test_a_sheet_in_json_is_what_these_tests_use():
    assert json.loads(json.dumps(sheet())) == sheet()
