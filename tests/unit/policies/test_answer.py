"""The rules' answer becomes a verdict only when every word of it is understood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.answer import read_answer
from policies.errors import PolicyAnswerMalformed, PolicyUnavailable
from policies.model import Denial, Duty, HoldRule, Restore, Risk, Verdict

RULE = "toolgate.rules.refunds"


def answer(**members: Any) -> dict[str, Any]:
    return {
        "allow": False,
        "allowed_by": [],
        "stray": [],
        "deny": [],
        "hold": [],
        "on_result": [],
        "on_call": [],
    } | members


def said(*members: Any) -> list[dict[str, Any]]:
    return [{"rule": RULE, "said": member} for member in members]


def test_an_empty_answer_is_a_verdict_that_does_not_allow() -> None:
    verdict = read_answer(answer(), revision="r1")
    assert not verdict.allow
    assert (verdict.denials, verdict.holds, verdict.duties, verdict.restores) == ((), (), (), ())
    assert verdict.revision == "r1"


def test_allow_names_the_packages_that_allow() -> None:
    verdict = read_answer(answer(allow=True, allowed_by=[RULE]), revision="r1")
    assert verdict.allow
    assert verdict.allowed_by == (RULE,)


def test_a_denial_may_be_just_its_code() -> None:
    verdict = read_answer(answer(deny=said("frozen")), revision="r1")
    assert verdict.denials == (Denial(code="frozen", message="", would_pass="", rule=RULE),)


def test_a_denial_keeps_what_would_pass() -> None:
    member = {"code": "foreign", "message": "only EUR", "would_pass": "currency EUR"}
    (denial,) = read_answer(answer(deny=said(member)), revision="r1").denials
    assert denial == Denial(code="foreign", message="only EUR", would_pass="currency EUR", rule=RULE)


def test_a_hold_that_is_just_a_code_has_the_strict_defaults() -> None:
    (hold,) = read_answer(answer(hold=said("big")), revision="r1").holds
    assert hold == HoldRule(
        code="big", by=("reviewer",), quorum=1, ttl_s=4 * 3600, risk=None, why="", show=(), on_approval="execute",
        rule=RULE,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "field", "wanted"),
    [
        ("by", "lead", "by", ("lead",)),
        ("by", ["lead", "legal", "lead"], "by", ("lead", "legal")),
        ("quorum", 2, "quorum", 2),
        ("ttl", "90s", "ttl_s", 90),
        ("ttl", "15m", "ttl_s", 900),
        ("ttl", "4h", "ttl_s", 14400),
        ("ttl", "2d", "ttl_s", 172800),
        ("risk", "low", "risk", Risk.LOW),
        ("risk", "medium", "risk", Risk.MEDIUM),
        ("risk", "high", "risk", Risk.HIGH),
        ("why", "above 100", "why", "above 100"),
        ("show", ["/amount", "", "/a~1b/0"], "show", ("/amount", "", "/a~1b/0")),
        ("on_approval", "grant", "on_approval", "grant"),
        ("self_confirm", True, "self_confirm", True),
        ("self_confirm", False, "self_confirm", False),
        ("remind", "1m", "remind_s", 60),
        ("remind", "60s", "remind_s", 60),
        ("remind", "3h", "remind_s", 10800),
        ("remind", None, "remind_s", None),
        ("escalate", {"after": "1h", "to": "cfo"}, "escalate_after_s", 3600),
        ("escalate", {"after": "1h", "to": "cfo"}, "escalate_to", ("cfo",)),
        ("escalate", {"after": "1s", "to": ["cfo", "cto", "cfo"]}, "escalate_to", ("cfo", "cto")),
        ("escalate", None, "escalate_after_s", None),
        ("escalate", None, "escalate_to", ()),
    ],
)
def test_a_hold_reads_every_key_it_knows(key: str, value: Any, field: str, wanted: Any) -> None:
    (hold,) = read_answer(answer(hold=said({"code": "big", key: value})), revision="r1").holds
    assert getattr(hold, field) == wanted


def test_what_is_wrong_with_an_escalation_is_named() -> None:
    late = {"code": "big", "ttl": "1h", "escalate": {"after": "1h", "to": "cfo"}}
    (hold,) = read_answer(answer(hold=said(late | {"ttl": "61m"})), revision="r1").holds
    assert (hold.escalate_after_s, hold.ttl_s) == (3600, 3660)
    with pytest.raises(PolicyAnswerMalformed, match=r"member 'big'.*would never happen"):
        read_answer(answer(hold=said(late)), revision="r1")
    with pytest.raises(PolicyAnswerMalformed, match=r"escalate\.to"):
        read_answer(answer(hold=said({"code": "big", "escalate": {"after": "1h"}})), revision="r1")


@pytest.mark.parametrize("do", ["redact", "tokenise", "strip", "label", "block"])
def test_a_duty_reads_every_deed_it_knows(do: str) -> None:
    member = {"code": "mask", "do": do, "kind": "email", "properties": {"path": "/a"}}
    (duty,) = read_answer(answer(on_result=said(member)), revision="r1").duties
    assert duty == Duty(code="mask", do=do, kind="email", rule=RULE, properties={"path": "/a"})  # type: ignore[arg-type]


@pytest.mark.parametrize("do", ["strip", "block"])
def test_strip_and_block_may_mean_whatever_is_found(do: str) -> None:
    (duty,) = read_answer(answer(on_result=said({"code": "x", "do": do})), revision="r1").duties
    assert duty.kind == ""


RESTORE = {"code": "crm", "do": "restore", "kind": "email"}


def test_a_restore_names_the_kind_and_the_package() -> None:
    verdict = read_answer(answer(on_call=said(RESTORE, RESTORE | {"kind": "phone"})), revision="r1")
    assert verdict.restores == tuple(Restore(code="crm", kind=kind, rule=RULE) for kind in ("email", "phone"))


@pytest.mark.parametrize(
    "others",
    [
        {},
        {"allow": True, "allowed_by": [RULE]},
        {"deny": said("frozen"), "hold": said("big")},
        {"allow": True, "allowed_by": [RULE], "deny": said("frozen")},
        {"allow": True, "allowed_by": [RULE], "hold": said("big")},
    ],
)
def test_a_restore_changes_nothing_else_in_a_verdict(others: dict[str, Any]) -> None:
    without = read_answer(answer(**others), revision="r1")
    restored = read_answer(answer(**others, on_call=said(RESTORE)), revision="r1")
    assert replace(restored, restores=()) == without
    assert restored != without


def test_a_verdict_restores_nothing_unless_it_says_so() -> None:
    verdict = Verdict(allow=True, allowed_by=(RULE,), denials=(), holds=(), duties=(), revision="r1")
    assert verdict.restores == ()


@pytest.mark.abuse(54)
@pytest.mark.parametrize(
    "member",
    [
        pytest.param({"code": "big", "ttl": ttl}, id=f"ttl {ttl!r}")
        for ttl in ("", "4", "4 h", "h", "0h", "-1h", "4H", "4w", "1e3s", "31d", "99999999s", "٤h", 14400, None, True, ["4h"])
    ]
    + [
        pytest.param({"code": "big", "by": by}, id=f"by {by!r}")
        for by in ([], "", [""], None, 7, [7], {"role": "lead"}, [["lead"]])
    ]
    + [
        pytest.param({"code": "big", "quorum": quorum}, id=f"quorum {quorum!r}")
        for quorum in (0, -1, 21, 1.5, "2", True, None)
    ]
    + [
        pytest.param({"code": "big", "risk": risk}, id=f"risk {risk!r}") for risk in ("HIGH", "", "critical", 3, None)
    ]
    + [
        pytest.param({"code": "big", "show": show}, id=f"show {show!r}")
        for show in ("/amount", ["amount"], ["/a~2"], [1], None)
    ]
    + [
        pytest.param({"code": "big", "on_approval": value}, id=f"on_approval {value!r}")
        for value in ("run", "Execute", None, True)
    ]
    + [
        pytest.param({"code": "big", "self_confirm": value}, id=f"self_confirm {value!r}")
        for value in ("true", 1, None, "ana")
    ]
    + [
        pytest.param({"code": "big", "remind": value}, id=f"remind {value!r}")
        for value in ("59s", "1s", "", "30", 1800, True, "31d", ["30m"])
    ]
    + [
        pytest.param({"code": "big", "escalate": value}, id=f"escalate {value!r}")
        for value in (
            "cfo", True, [], {}, {"after": "1h"}, {"to": "cfo"}, {"after": "1h", "to": []}, {"after": "1h", "to": ""},
            {"after": 3600, "to": "cfo"}, {"after": None, "to": "cfo"}, {"after": "1h", "to": "cfo", "by": "x"},
            {"After": "1h", "to": "cfo"}, {"after": "4h", "to": "cfo"}, {"after": "2d", "to": "cfo"},
        )
    ]
    + [
        pytest.param({"code": "big", "approvers": "lead"}, id="unknown key"),
        pytest.param({"code": "big", "Quorum": 2}, id="key in another case"),
        pytest.param({"by": "lead"}, id="no code"),
        pytest.param({"code": ""}, id="empty code"),
        pytest.param({"code": 7}, id="code is a number"),
        pytest.param({"code": "big", "why": 7}, id="why is a number"),
        pytest.param({}, id="empty object"),
        pytest.param("", id="empty string"),
        pytest.param(True, id="true"),
        pytest.param(None, id="null"),
        pytest.param(7, id="number"),
        pytest.param(["big"], id="array"),
    ],
)  # fmt: skip
def test_a_hold_that_is_not_understood_is_no_verdict(member: Any) -> None:
    with pytest.raises(PolicyAnswerMalformed):
        read_answer(answer(allow=True, allowed_by=[RULE], hold=said(member)), revision="r1")


@pytest.mark.abuse(54)
@pytest.mark.parametrize(
    "member",
    [
        {"code": "x", "message": 7},
        {"code": "x", "would_pass": None},
        {"code": "x", "msg": "typo"},
        {"code": "x", "message": "y" * 2001},
        {"message": "no code"},
        {},
        "",
        True,
        None,
        ["x"],
    ],
)
def test_a_denial_that_is_not_understood_is_no_verdict(member: Any) -> None:
    with pytest.raises(PolicyAnswerMalformed):
        read_answer(answer(allow=True, allowed_by=[RULE], deny=said(member)), revision="r1")


@pytest.mark.abuse(54)
@pytest.mark.parametrize(
    "member",
    [
        "mask",
        {"code": "mask"},
        {"code": "mask", "do": "encrypt", "kind": "email"},
        {"code": "mask", "do": "Redact", "kind": "email"},
        {"code": "mask", "do": "redact"},
        {"code": "mask", "do": "tokenise", "kind": ""},
        {"code": "mask", "do": "label"},
        {"code": "mask", "do": "redact", "kind": ["email"]},
        {"code": "mask", "do": "redact", "kind": "email", "properties": ["/a"]},
        {"code": "mask", "do": "redact", "kind": "email", "path": "/a"},
    ],
)
def test_a_duty_that_is_not_understood_is_no_verdict(member: Any) -> None:
    with pytest.raises(PolicyAnswerMalformed):
        read_answer(answer(allow=True, allowed_by=[RULE], on_result=said(member)), revision="r1")


@pytest.mark.abuse(54)
@pytest.mark.parametrize(
    "member",
    [
        "crm",
        {"code": "crm"},
        {"code": "crm", "do": "restore"},
        {"code": "crm", "kind": "email"},
        {"do": "restore", "kind": "email"},
        *(RESTORE | {"do": do} for do in ("Restore", "tokenise", "redact", "", None, True, ["restore"])),
        *(RESTORE | {"kind": kind} for kind in ("", None, 7, True, ["email"], {"email": True}, "x" * 201)),
        *(RESTORE | {"code": code} for code in ("", None, 7)),
        RESTORE | {"properties": {}},
        RESTORE | {"Kind": "phone"},
        {},
        "",
        True,
        None,
        7,
        [RESTORE],
    ],
)
def test_a_restore_that_is_not_understood_is_no_verdict(member: Any) -> None:
    allowed = {"allow": True, "allowed_by": [RULE]}
    assert read_answer(answer(**allowed, on_call=said(RESTORE)), revision="r1").allow
    with pytest.raises(PolicyAnswerMalformed, match=RULE):
        read_answer(answer(**allowed, on_call=said(RESTORE, member)), revision="r1")


@pytest.mark.abuse(53)
@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="{}"),
        pytest.param(None, id="null"),
        pytest.param("true", id='"true"'),
        pytest.param(True, id="true"),
        pytest.param([], id="[]"),
        pytest.param(answer(allow="true", allowed_by=[RULE]), id="allow is a string"),
        pytest.param(answer(allow=1, allowed_by=[RULE]), id="allow is a number"),
        pytest.param(answer(allow=None), id="allow is null"),
        pytest.param(answer(allow=True), id="allow without a package"),
        pytest.param(answer(allowed_by=[RULE]), id="a package without allow"),
        pytest.param(answer(allow=True, allowed_by=RULE), id="allowed_by is a string"),
        pytest.param(answer(effect="ALLOW"), id="an extra member"),
        pytest.param({k: v for k, v in answer(allow=True, allowed_by=[RULE]).items() if k != "deny"}, id="half a body"),
        pytest.param({k: v for k, v in answer(allow=True, allowed_by=[RULE]).items() if k != "on_call"}, id="no on_call"),
        pytest.param(answer(on_call={"rule": RULE, "said": RESTORE}), id="on_call is an object"),
        pytest.param(answer(on_call=[RESTORE]), id="on_call without its package"),
        pytest.param(answer(on_call=said(*(RESTORE | {"kind": f"k{n}"} for n in range(1001)))), id="more restores than anyone reads"),
        pytest.param(answer(deny={"rule": RULE, "said": "x"}), id="deny is an object"),
        pytest.param(answer(deny=["x"]), id="deny without its package"),
        pytest.param(answer(deny=[{"rule": RULE, "said": "x", "more": 1}]), id="a member with more"),
        pytest.param(answer(allow=True, allowed_by=[RULE], stray=said("yes")), id="another package allows with yes"),
        pytest.param(answer(deny=said(*(f"x{n}" for n in range(1001)))), id="more denials than anyone reads"),
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_no_verdict(document: Any) -> None:
    with pytest.raises(PolicyAnswerMalformed) as caught:
        read_answer(document, revision="r1")
    assert isinstance(caught.value, PolicyUnavailable)
    assert caught.value.code == "policy_answer_malformed"


def test_the_reason_names_the_package_the_member_and_the_key() -> None:
    with pytest.raises(PolicyAnswerMalformed) as caught:
        read_answer(answer(hold=said({"code": "big", "ttl": "4 hours"})), revision="r1")
    assert caught.value.reason == (
        "toolgate.rules.refunds answered with something that is not a verdict: "
        "member 'big': ttl: Value error, is not a time like 90s, 15m, 4h or 2d"
    )


def test_the_reason_does_not_repeat_values_at_length() -> None:
    with pytest.raises(PolicyAnswerMalformed) as caught:
        read_answer(answer(deny=said({"code": "x" * 500, "message": 7})), revision="r1")
    assert len(caught.value.reason) < 300
