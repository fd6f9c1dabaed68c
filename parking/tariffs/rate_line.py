"""Ladders of lines, and the local days and hours in which each counts."""

from functools import cached_property
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from parking.tariffs.model_part import Part, items, misfit
from parking.tariffs.rate_terms import (
    AmountMinor,
    Days,
    Minutes,
    MinutesFromZero,
    Name,
    Window,
)

_LINES_MAX: Final = 64
_NEVER_S: Final = 1 << 62
_WHOLE_DAY: Final = ("00:00", "24:00")


class RateLine(Part):
    """What one range `[from, to)` of the ladder costs.

    free: nothing. flat: once. increment: `value` for each block that starts.
    per_second: `value` for each block, in proportion to the seconds, rounded up.
    """

    kind: Literal["free", "flat", "increment", "per_second"]
    from_minutes: MinutesFromZero = Field(default=0, alias="from")
    to_minutes: Minutes | None = Field(default=None, alias="to")
    block_minutes: Minutes | None = Field(default=None, alias="block")
    amount_minor: AmountMinor = Field(default=0, alias="value")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.to_minutes is not None and self.to_minutes <= self.from_minutes:
            raise misfit("`to` later than `from`", "to")
        has_blocks = self.kind in {"increment", "per_second"}
        if (self.block_minutes is not None) != has_blocks:
            raise misfit("`block` for increment and per_second, and only for them", "block")
        if self.kind == "free" and self.amount_minor:
            raise misfit("no `value` for a free line", "value")
        if self.kind != "free" and "amount_minor" not in self.model_fields_set:
            raise misfit(f"`value` for a line of kind {self.kind}", "value")
        return self


class RateLineCollection(Part):
    """A ladder of lines and the local days and hours in which it counts."""

    name: Name = ""
    days: Days | None = None
    window: Window = _WHOLE_DAY
    clock: Literal["session", "window", "charged"] = "session"
    cap_minor: AmountMinor | None = Field(default=None, alias="cap")
    join_days: bool | None = None
    lines: Annotated[
        tuple[RateLine, ...],
        items(least=1, most=_LINES_MAX),
    ]

    @property
    def is_joined(self) -> bool:
        """Whether two days in a row are one stretch, so that a block may run over midnight."""
        if self.join_days is not None:
            return self.join_days
        # A cap of a collection holds for one window: joined days would share a single cap.
        return self.window == _WHOLE_DAY and self.cap_minor is None

    @cached_property
    def window_words(self) -> str:
        """The local hours, such as `08:00-20:00`; empty for the whole day."""
        return "" if self.window == _WHOLE_DAY else "-".join(self.window)

    @cached_property
    def ladder(self) -> tuple[RateLine, ...]:
        """The lines in the order of their ranges."""
        return tuple(sorted(self.lines, key=lambda line: line.from_minutes))

    @cached_property
    def rungs(self) -> tuple[tuple[int, int, RateLine], ...]:
        """The lines in the order of their ranges, with where each begins and ends in seconds."""
        return tuple(
            (
                line.from_minutes * 60,
                _NEVER_S if line.to_minutes is None else line.to_minutes * 60,
                line,
            )
            for line in self.ladder
        )

    @cached_property
    def is_priced(self) -> bool:
        """Whether any of it costs anything."""
        return any(line.amount_minor for line in self.lines)

    @model_validator(mode="after")
    def _check(self) -> Self:
        order = sorted(range(len(self.lines)), key=lambda index: self.lines[index].from_minutes)
        for lower, upper in pairwise(order):
            ends, starts = self.lines[lower].to_minutes, self.lines[upper].from_minutes
            if ends is None or ends > starts:
                expected = f"a range that does not overlap `lines.{lower}`"
                raise misfit(expected, "lines", upper, "from")
        return self
