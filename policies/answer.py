"""Reads what the rules answered into a ``Verdict``, strictly.

Whatever is not exactly understood is ``policy_answer_malformed``, so a misspelt key in a hold can
never weaken it: an answer we half understand is not an answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    model_validator,
)

from policies.errors import PolicyAnswerMalformed
from policies.model import Denial, Duty, DutyKind, HoldRule, OnApproval, Restore, Risk, Verdict

QUORUM_MAX = 20
TTL_S_MAX = 30 * 24 * 3600
REMIND_S_MIN = 60
MEMBERS_MAX = 1000
"""Members of each of deny, hold, on_result and on_call; one decision with more is a mistake or an attack."""

_TIME = re.compile(r"([1-9][0-9]{0,6})([smhd])", re.ASCII)
_UNIT_S = MappingProxyType({"s": 1, "m": 60, "h": 3600, "d": 86400})
_RISKS = MappingProxyType({risk.name.lower(): risk for risk in Risk})


def read_answer(answer: Any, *, revision: str) -> Verdict:
    """The verdict in the JSON value of ``toolgate/main/decision``.

    Raises ``PolicyAnswerMalformed``, whose reason names the rule package and the key.
    """
    try:
        parsed = _Answer.model_validate(answer)
        if parsed.stray:
            told = parsed.stray[0]
            raise _malformed(f"allow is {told.said!r:.80}, neither true nor false", told.rule)
        if parsed.allow is not bool(parsed.allowed_by):
            raise _malformed("allow and allowed_by disagree", "toolgate.main")
        return Verdict(
            allow=parsed.allow,
            allowed_by=tuple(parsed.allowed_by),
            denials=tuple(_denial(told) for told in parsed.deny),
            holds=tuple(_hold(told) for told in parsed.hold),
            duties=tuple(_duty(told) for told in parsed.on_result),
            restores=tuple(_restore(told) for told in parsed.on_call),
            revision=revision,
        )
    except ValidationError as invalid:
        raise _malformed(_first(invalid), "toolgate.main") from invalid


def _seconds(text: Any) -> int:
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError("is not a time like 90s, 15m, 4h or 2d")
    seconds = int(match[1]) * _UNIT_S[match[2]]
    if seconds > TTL_S_MAX:
        raise ValueError("is more than 30 days")
    return seconds


def _ttl_seconds(text: Any) -> int:
    seconds = _seconds(text)
    if seconds < 1:
        raise ValueError("is no time in which anybody could decide")
    return seconds


def _remind_seconds(text: Any) -> int | None:
    seconds = None if text is None else _seconds(text)
    if seconds is not None and seconds < REMIND_S_MIN:
        raise ValueError(f"is more often than every {REMIND_S_MIN} s")
    return seconds


def _risk(text: Any) -> Risk:
    if not isinstance(text, str) or text not in _RISKS:
        raise ValueError("is not low, medium or high")
    return _RISKS[text]


def _one_or_more(said: Any) -> Any:
    return [said] if isinstance(said, str) else said


_Text = Annotated[str, Field(strict=True, max_length=2000)]
_Name = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
_Pointer = Annotated[str, Field(strict=True, max_length=500, pattern=r"^(/([^~]|~[01])*)?$")]
_Names = Annotated[list[_Name], BeforeValidator(_one_or_more), Field(min_length=1, max_length=50)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class _Told(_Strict):
    """One member together with the rule package that said it, as the combining module pairs them."""

    rule: _Name
    said: Any


class _Answer(_Strict):
    allow: StrictBool
    allowed_by: list[_Name] = Field(max_length=MEMBERS_MAX)
    stray: list[_Told]
    deny: list[_Told] = Field(max_length=MEMBERS_MAX)
    hold: list[_Told] = Field(max_length=MEMBERS_MAX)
    on_result: list[_Told] = Field(max_length=MEMBERS_MAX)
    on_call: list[_Told] = Field(max_length=MEMBERS_MAX)


class _Denial(_Strict):
    code: _Name
    message: _Text = ""
    would_pass: _Text = ""


class _Escalation(_Strict):
    after: Annotated[int, BeforeValidator(_seconds)]
    to: _Names


class _Hold(_Strict):
    code: _Name
    by: _Names = ["reviewer"]
    quorum: Annotated[StrictInt, Field(ge=1, le=QUORUM_MAX)] = 1
    ttl: Annotated[int, BeforeValidator(_ttl_seconds)] = 4 * 3600
    risk: Annotated[Risk | None, BeforeValidator(_risk)] = None
    why: _Text = ""
    show: list[_Pointer] = Field(default=[], max_length=50)
    on_approval: OnApproval = "execute"
    self_confirm: StrictBool = False
    remind: Annotated[int | None, BeforeValidator(_remind_seconds)] = None
    escalate: _Escalation | None = None

    @model_validator(mode="after")
    def _escalates_before_it_expires(self) -> Self:
        if self.escalate and self.escalate.after >= self.ttl:
            raise ValueError("escalate.after is not before the ttl, so it would never happen")
        return self


class _Duty(_Strict):
    code: _Name
    do: DutyKind
    kind: _Text = ""
    properties: dict[_Name, Any] = Field(default={}, max_length=20)

    @model_validator(mode="after")
    def _says_what_to_look_for(self) -> Self:
        if not self.kind and self.do in {"redact", "tokenise", "label"}:
            raise ValueError(f"{self.do} needs a kind")
        return self


class _Restore(_Strict):
    code: _Name
    do: Literal["restore"]
    kind: _Name


def _denial(told: _Told) -> Denial:
    said = _read(_Denial, told)
    return Denial(code=said.code, message=said.message, would_pass=said.would_pass, rule=told.rule)


def _hold(told: _Told) -> HoldRule:
    said = _read(_Hold, told)
    return HoldRule(
        code=said.code,
        by=tuple(dict.fromkeys(said.by)),
        quorum=said.quorum,
        ttl_s=said.ttl,
        risk=said.risk,
        why=said.why,
        show=tuple(said.show),
        on_approval=said.on_approval,
        rule=told.rule,
        self_confirm=said.self_confirm,
        remind_s=said.remind,
        escalate_after_s=said.escalate.after if said.escalate else None,
        escalate_to=tuple(dict.fromkeys(said.escalate.to)) if said.escalate else (),
    )


def _duty(told: _Told) -> Duty:
    said = _read(_Duty, told)
    properties = MappingProxyType(said.properties)
    return Duty(code=said.code, do=said.do, kind=said.kind, rule=told.rule, properties=properties)


def _restore(told: _Told) -> Restore:
    said = _read(_Restore, told)
    return Restore(code=said.code, kind=said.kind, rule=told.rule)


_Model = TypeVar("_Model", bound=BaseModel)


def _read(model: type[_Model], told: _Told) -> _Model:
    said = {"code": told.said} if isinstance(told.said, str) else told.said
    if not isinstance(said, Mapping):
        raise _malformed("a member is neither a string nor an object", told.rule)
    try:
        return model.model_validate(said)
    except ValidationError as invalid:
        code = said.get("code")
        about = f"member {code!r:.60}: " if isinstance(code, str) else ""
        raise _malformed(about + _first(invalid), told.rule) from invalid


def _first(invalid: ValidationError) -> str:
    """The first complaint as ``key: what``; pydantic's own text would quote the offending value at length."""
    error = invalid.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in error['loc']) or 'answer'}: {error['msg']}"


def _malformed(what: str, rule: str) -> PolicyAnswerMalformed:
    return PolicyAnswerMalformed(f"{rule} answered with something that is not a verdict: {what}")
