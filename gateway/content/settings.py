"""Bounds of the look at texts."""

from __future__ import annotations

import datetime
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scanners.allowances import Allowance


class AllowanceSettings(BaseModel):
    """One find that stays: what it is, where, why, and how long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str = Field(description="upstream/name; * stands for any characters")
    pointer: str = Field(description="JSON Pointer in the arguments or the result; * one step, ** any number")
    rule: str = Field(description="what found it, as in the log")
    reason: str = Field(description="why it is none, for whoever reads this in a year")
    until: datetime.date = Field(description="the first day (UTC) on which it is void")

    @property
    def allowance(self) -> Allowance:
        """As scanners know it."""
        midnight = datetime.datetime.combine(self.until, datetime.time(), datetime.UTC)
        return Allowance(
            tool=self.tool,
            pointer=self.pointer,
            rule=self.rule,
            reason=self.reason,
            until_ms=int(midnight.timestamp() * 1000),
        )

    @model_validator(mode="after")
    def _can_be_one(self) -> AllowanceSettings:
        self.allowance  # noqa: B018 - raises what is wrong with it
        return self


class ContentSettings(BaseModel):
    """``content:`` of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scan: bool = Field(
        default=True,
        description="whether texts are looked at on their way; false: only for what people are shown",
    )
    recognizers: tuple[str, ...] = Field(
        (),
        description="recognisers of presidio-analyzer to ask as well, by id: numbers that states give people",
    )
    names_model: str = Field(
        "",
        description="a spaCy model, by name or folder, that finds names and addresses of people",
    )
    fence: bool = Field(
        default=False,
        description="whether texts of tool results stand between lines that call them data",
    )
    inline_bytes_max: int = Field(
        65_536, ge=1024, description="larger values are looked at in a process of their own"
    )
    deadline_s: float = Field(5, gt=0, description="a look that takes longer keeps the value back")
    workers: int = Field(1, ge=1, le=16, description="processes that look at large values")
    allow: tuple[AllowanceSettings, ...] = Field((), description="finds that stay where they are")
    worker_bytes_max: int = Field(1 << 30, ge=1 << 28, description="memory of each of them")

    @cached_property
    def allowances(self) -> tuple[Allowance, ...]:
        """What stays although it is found."""
        return tuple(one.allowance for one in self.allow)
