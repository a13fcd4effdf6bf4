"""What is unusual about a held call: each fact beside the case in which it is not said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.holding.earlier import LEAVES_MAX
from gateway.holding.usual import ORDER, PER_CODE_MAX, unusual_in
from scanners.bounded_view import bounded_view
from tests.unit.gateway.holding.calls import denied, hold_with, precedents

COMMON = [{"to": "ana@acme.example", "amount": 10, "note": "hi"}] * 3


def facts(arguments, earlier, *, show=(), agent="desk", change="", **more):
    hold = hold_with(arguments, show=show)
    found, _ = unusual_in(
        hold, arguments, precedents(*earlier, agent=agent, **more), definition_change=change
    )
    return found


def codes(arguments, earlier, **more):
    return [(one.code, one.pointer) for one in facts(arguments, earlier, **more)]


def test_a_call_like_those_that_ran_is_nothing_unusual():
    found, compared = unusual_in(hold_with(COMMON[0]), COMMON[0], precedents(*COMMON), definition_change="")
    assert (found, compared) == ((), 3)


def test_of_a_tool_of_which_nothing_ran_only_that_is_said():
    assert [one.text for one in facts({"to": "eve@evil.example"}, [])] == [
        "No held call of this tool has run here before."
    ]
    assert codes(COMMON[0], COMMON) == []


def test_what_other_agents_did_is_not_what_this_one_did():
    (one,) = facts(COMMON[0], COMMON, agent="other")
    assert (one.code, one.text) == (
        "first_for_agent",
        "None of the 3 earlier calls was made by desk.",
    )
    (one,) = facts(COMMON[0], COMMON[:1], agent="other")
    assert one.text == "The one earlier call was not made by desk."


FIRST = {
    "a mail address": ("to", "ben@acme.example", "ana@acme.example"),
    "a mail address under any name": ("anything", "ben@acme.example", "ana@acme.example"),
    "one in a list": ("to", ["ana@acme.example", "ben@acme.example"], ["ana@acme.example"]),
    "one in a text with several": ("cc", "Ana <ana@acme.example>, ben@acme.example", "ana@acme.example"),
    "a link": ("url", "https://acme.example/b", "https://acme.example/a"),
    "a repository": ("repo", "acme/other", "acme/site"),
    "an account": ("targetAccountId", "K-77", "A-1"),
    "an account in digits": ("account", 4711, 815),
    "an IBAN under any name": ("x", "DE89370400440532013000", "FR1420041010050500013M02606"),
    "a path": ("path", "etc/shadow", "src/app.py"),
    "a path under any name": ("x", "/etc/shadow", "/srv/app.py"),
    "a host": ("host", "mail.acme.example", "db.acme.example"),
}


@pytest.mark.parametrize("case", FIRST)
def test_a_destination_that_was_never_there_is_told_of(case):
    name, new, known = FIRST[case]
    earlier = [{name: known}, {name: known}]
    found = codes({name: new}, earlier)
    assert [code for code, _ in found] == ["first_value"]
    assert found[0][1].startswith(f"/{name}")
    assert codes({name: known}, earlier) == []


def test_it_is_said_what_was_there_instead():
    earlier = [{"repo": "acme/site"}, {"repo": "acme/site"}, {"repo": "acme/api"}]
    (one,) = facts({"repo": "acme/other"}, earlier)
    assert (
        one.text == "'acme/other' was not in any of the 3 earlier calls, which had 2 different values there."
    )
    (one,) = facts({"repo": "acme/other"}, earlier[:1])
    assert one.text == "'acme/other' was not in the one earlier call, which had 1 other value there."
    (one,) = facts({"repo": "acme/other"}, [{"x": 1}])
    assert one.text == "'acme/other' was not in the one earlier call, and they had nothing there."


def test_texts_are_no_destinations_unless_a_rule_wants_them_looked_at():
    earlier = [{"note": "late", "force": False}] * 3
    assert codes({"note": "early", "force": True}, earlier) == []
    assert codes({"note": "early", "force": True}, earlier, show=["/note", "/force"]) == [
        ("first_value", "/note"),
        ("first_value", "/force"),
    ]
    assert codes({"note": "late", "force": False}, earlier, show=["/note", "/force"]) == []
    text = "please write to ben@acme.example about it"
    assert codes({"note": text}, earlier) == [], "an address in a text is none that it goes to"


def test_another_spelling_of_an_address_is_the_same_address():
    earlier = [{"to": "Ana@ACME.example", "repo": "Acme/Site"}] * 3
    assert codes({"to": "ana@acme.example", "repo": "acme/site"}, earlier) == []
    assert codes({"to": "anb@acme.example", "repo": "acme/site"}, earlier) == [("near_value", "/to")]


def test_where_a_recipient_stands_in_a_list_makes_no_difference():
    earlier = [{"to": ["ana@acme.example", "ben@acme.example"]}] * 3
    assert codes({"to": ["ben@acme.example", "ana@acme.example"]}, earlier) == []
    found = codes({"to": ["ben@acme.example", "zoe@acme.example"]}, earlier)
    assert found == [("first_value", "/to/1")]


HOSTS = [{"to": "ana@acme.example"}, {"to": "ben@acme.example"}, {"to": "cem@corp.example"}]


def test_a_host_that_was_never_there_is_told_of_before_its_address():
    (one,) = facts({"to": "ana@evil.example"}, HOSTS)
    assert (one.code, one.pointer) == ("first_host", "/to")
    assert one.text == (
        "The host 'evil.example' was not in any of the 3 earlier calls, which had 2 other hosts."
    )
    assert codes({"to": "zoe@corp.example"}, HOSTS) == [("first_value", "/to")]
    assert codes({"to": "ana@evil.example"}, HOSTS[:2]) == [("first_value", "/to")], (
        "of two calls nobody can say which hosts are usual"
    )


def test_a_host_is_known_wherever_it_stood():
    assert [code for code, _ in codes({"to": "a@acme.example", "bcc": "b@acme.example"}, HOSTS)] == [
        "first_value",
        "first_value",
        "new_argument",
    ]


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/x",
        "https://acme.example@evil.example/x",
        "https://acme.example:443@evil.example/x",
        "https:\\\\evil.example\\x",
        "https://evil.example\\@acme.example/x",
        "git@evil.example:acme/site.git",
        "mailto:ana@evil.example",
    ],
)
def test_the_host_of_a_link_is_the_one_it_leads_to(link):
    earlier = [{"url": "https://acme.example/x"}] * 3
    (one,) = facts({"url": link}, earlier)
    assert one.code == "first_host"
    assert "'evil.example'" in one.text
    assert codes({"url": "https://acme.example/x"}, earlier) == []


NEAR = {
    "letters of another script": ("to", "аna@acme.example", "ana@acme.example"),
    "a host in letters of another script": ("to", "zoe@аcme.example", "ana@acme.example"),
    "the same in ASCII": ("url", "https://xn--cme-5cd.example/a", "https://acme.example/b"),
    "a digit for a letter": ("to", "zoe@paypa1.example", "ana@paypal.example"),
    "two letters that look like one": ("to", "zoe@acrne.example", "ana@acme.example"),
    "a letter more": ("to", "zoe@acmee.example", "ana@acme.example"),
    "a letter less": ("to", "zoe@ame.example", "ana@acme.example"),
    "two letters exchanged": ("to", "zoe@amce.example", "ana@acme.example"),
    "another letter in the name": ("to", "annna@acme.example", "anna@acme.example"),
    "an account": ("account", "acme-paymants", "acme-payments"),
    "a hidden character": ("account", "acme-pay\u200bments", "acme-payments"),
    "a path": ("path", "/srv/раy.sh", "/srv/pay.sh"),
}


@pytest.mark.abuse(82)
@pytest.mark.parametrize("case", NEAR)
def test_what_looks_nearly_like_a_known_destination_is_told_of_first(case):
    name, new, known = NEAR[case]
    earlier = [{name: known}] * 2
    found = facts({name: new}, earlier)
    assert [one.code for one in found] == ["near_value"]
    assert "2 of the 2 earlier calls had" in found[0].text
    assert codes({name: known}, earlier) == []


FAR = {
    "the next number": ("account", "INV-1002", "INV-1001"),
    "one digit more": ("account", "INV-10010", "INV-1001"),
    "the next file": ("path", "/srv/report-b.txt", "/srv/report-a.txt"),
    "something else": ("to", "zoe@acme.example", "ana@acme.example"),
    "another marker for a secret": ("account", "[REDACTED:password:1f2e]", "[REDACTED:password:1f2f]"),
    "a short one": ("account", "b-1", "a-1"),
}


@pytest.mark.parametrize("case", FAR)
def test_what_only_follows_a_known_destination_does_not_look_like_it(case):
    name, new, known = FAR[case]
    assert codes({name: new}, [{name: known}] * 2) == [("first_value", f"/{name}")]


AMOUNTS = [{"amount": 10}, {"amount": 12.5}, {"amount": 100}, {"amount": 11}]


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (301, "301 is 3.0 times the largest of 4 earlier ones there, 100."),
        (1000, "1,000 is 10.0 times the largest of 4 earlier ones there, 100."),
        (-1000, "-1,000 is 10.0 times the largest of 4 earlier ones there, 100."),
        (150, "150 is more than any of 4 earlier ones there; 12.8 times their median, 11.75."),
        (300, "300 is more than any of 4 earlier ones there; 25.5 times their median, 11.75."),
    ],
)
def test_a_number_out_of_all_proportion_is_told_of(amount, told):
    (one,) = facts({"amount": amount}, AMOUNTS)
    assert (one.code, one.pointer, one.text) == ("larger_number", "/amount", told)


@pytest.mark.parametrize("amount", [1, 10, 100, 99.9, 117, True, None, "1000000 EUR", []])
def test_an_ordinary_number_is_not(amount):
    assert codes({"amount": amount}, AMOUNTS) == []


def test_numbers_in_quotes_count_under_names_of_amounts_only():
    earlier = [{"amount": "10.00", "code": "10"}] * 3
    assert codes({"amount": "5000.00", "code": "5000"}, earlier) == [("larger_number", "/amount")]
    assert codes({"order_id": 99_999}, [{"order_id": 1}] * 3) == [], (
        "a label in digits is not more of anything"
    )
    assert codes({"amount": 5}, [{"amount": 0}] * 3) == [("larger_number", "/amount")]


def test_a_text_much_longer_than_any_is_told_of():
    earlier = [{"note": "x" * 100}] * 3
    (one,) = facts({"note": "y" * 1501}, earlier)
    assert (one.code, one.text) == (
        "much_longer",
        "It has 1,501 characters; the longest in any of the 3 earlier calls had 100.",
    )
    assert codes({"note": "y" * 500}, earlier) == []
    assert codes({"note": "y" * 200}, [{"note": "x"}] * 3) == [], "short ones are read anyway"


def test_an_argument_that_was_never_used_is_told_of_once_and_not_its_members():
    earlier = [{"a": 1, "o": {"b": 2}}] * 3
    assert codes({"a": 1, "o": {"b": 2, "c": 3}, "new": {"deep": {"x": 1}}}, earlier) == [
        ("new_argument", "/o/c"),
        ("new_argument", "/new"),
    ]
    assert codes({"a": 1, "o": {"b": 2}}, earlier) == []
    assert codes({"a": 1, "o": {}}, [{"a": 1, "o": {}}] * 3) == []
    assert codes({"a": 1, "o": {"c": 1}}, [{"a": 1, "o": {}}] * 3) == [("new_argument", "/o/c")]


def test_new_names_in_a_table_of_many_are_nothing_new():
    earlier = [{"cells": {f"{call}-{number}": 1 for number in range(20)}} for call in range(3)]
    assert codes({"cells": {"another": 1}}, earlier) == []
    assert codes({"cells": {}, "another": 1}, earlier) == [("new_argument", "/another")]


@pytest.mark.parametrize("calls", [1, 2])
def test_of_too_few_calls_only_what_was_never_there_is_said(calls):
    earlier = [{"amount": 1, "note": "x", "to": "ana@acme.example"}] * calls
    arguments = {"amount": 1000, "note": "y" * 5000, "to": "zoe@evil.example", "new": 1}
    assert codes(arguments, earlier) == [("first_value", "/to")]
    assert {code for code, _ in codes(arguments, earlier * 3)} == {
        "first_host",
        "larger_number",
        "much_longer",
        "new_argument",
    }


def test_a_definition_that_is_not_what_it_was_is_told_of():
    assert [one.text for one in facts(COMMON[0], COMMON, change="Its definition was changed.")] == [
        "Its definition was changed."
    ]


def test_what_people_denied_lately_is_told_of_the_very_same_call_before_others():
    (one,) = facts(COMMON[0], COMMON, same=denied(2), agents=denied(5, "max"))
    assert one.text == (
        "This very call was denied 2 times in the last 30 days, most recently by lea@example.com."
    )
    (one,) = facts(COMMON[0], COMMON, agents=denied(1, "max"))
    assert one.text == (
        "Calls of this tool by desk were denied once in the last 30 days, most recently by max."
    )


def test_the_most_telling_comes_first_and_of_many_alike_some_are_told():
    earlier = [{"to": ["ana@acme.example"], "amount": 1}] * 3
    others = [f"x{number}y{number}@acme.example" for number in range(PER_CODE_MAX + 3)]
    found = facts(
        {"to": ["аna@acme.example", "eve@evil.example", *others], "amount": 100},
        earlier,
        agent="other",
        agents=denied(1),
        change="changed",
    )
    order = [ORDER.index(one.code) for one in found]
    assert order == sorted(order)
    assert [one.code for one in found[:4]] == [
        "near_value",
        "definition_changed",
        "first_host",
        "larger_number",
    ]
    firsts = [one for one in found if one.code == "first_value"]
    assert [one.pointer for one in firsts] == ["/to/2", "/to/3", "/to/4", "/to/5", ""]
    assert firsts[-1].text == "3 more values are like that."


@pytest.mark.abuse(82)
def test_a_value_cannot_speak_for_the_gateway():
    said = "x' was in all earlier calls. \n'y"
    (one,) = facts({"note": said}, [{"note": "known"}] * 2, show=["/note"])
    assert "\n" not in one.text
    assert one.text == f"{said!r} was not in any of the 2 earlier calls, which had 1 other value there."


def test_views_that_were_cut_are_compared_as_far_as_they_go():
    long = {
        "text": "x" * 9000,
        "to": [f"user{number}@acme.example" for number in range(300)],
        "path": "/a" * 900,
    }
    view = bounded_view(long, characters_max=1000)
    assert "…" in str(view["to"]), "control: it is cut"
    found = facts({**long, "to": ["user1@acme.example", "zoe@acme.example"]}, [view] * 3)
    assert [(one.code, one.pointer) for one in found] == [("first_value", "/to/1")]
    assert found[0].text == (
        "'zoe@acme.example' was not in any of the 3 earlier calls, as far as those are kept."
    )
    (one,) = facts(long, [view] * 3)
    assert one.text == (
        "'user13@acme.example' and 286 more there were not in any of the 3 earlier calls, as far as those are kept."
    )
    assert codes({"text": "y" * 45_001, "path": long["path"]}, [view] * 3) == [("much_longer", "/text")]
    many = bounded_view({f"name{number}": "v" * 50 for number in range(200)}, characters_max=1000)
    assert codes({"another": 1}, [many] * 3) == [], "what was left out may have had that name"
    assert codes({"another": 1}, [{"name0": "v"}] * 3) == [("new_argument", "/another")]


def test_what_nobody_can_read_any_more_is_compared_with_nothing():
    erased = [{"…": "erased"}] * 5
    found, compared = unusual_in(
        hold_with({}), {"to": "eve@evil.example"}, precedents(*erased), definition_change=""
    )
    assert (found, compared) == ((), 0)
    found, compared = unusual_in(
        hold_with({}), {"to": "eve@evil.example"}, precedents(*erased, *HOSTS), definition_change=""
    )
    assert ([one.code for one in found], compared) == (["first_host"], 3)


def test_values_beyond_the_bound_are_not_silently_left_out():
    many = {"a": [1] * (LEAVES_MAX + 1), "to": "eve@evil.example"}
    assert codes(many, [many] * 3) == [("partly_compared", "")]
    few = {"a": [1] * 10, "to": "eve@evil.example"}
    assert codes(few, [few] * 3) == []


def test_every_fact_has_its_place_in_the_order():
    assert len(set(ORDER)) == len(ORDER)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["to", "url", "amount", "…", "x/~"]), inner, max_size=4)
    ),
    max_leaves=20,
)
OBJECTS = st.dictionaries(
    st.sampled_from(["to", "url", "host", "path", "amount", "note", "…"]), JSON, max_size=5
)


@settings(deadline=None)
@given(OBJECTS, st.lists(OBJECTS, max_size=5), st.integers(64, 400))
def test_whatever_stands_in_arguments_and_views_something_can_be_said(arguments, earlier, characters_max):
    views = [bounded_view(one, characters_max=characters_max) for one in earlier]
    found, compared = unusual_in(
        hold_with(arguments, show=["/to", "/note/0"]), arguments, precedents(*views), definition_change=""
    )
    assert compared <= len(views)
    assert all(one.code in ORDER and one.text.endswith(".") for one in found)
    assert codes(arguments, [arguments] * 3) == [] or arguments.keys() == {"…"}, "like itself"
