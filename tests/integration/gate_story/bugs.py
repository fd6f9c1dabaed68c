"""Bugs put into the agent on purpose: each takes one guard or one promise away.

A bug replaces a few words of one function, which must occur there once: where the function has
changed, the test says so, and the bug is to be written anew.
"""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Final


@dataclass(frozen=True)
class Bug:
    """One bug.

    Attributes:
        suffering: What an operator or a driver would see of it.
        where: Module and name of the function.
        was: Words of its source.
        becomes: What stands there instead.
        seed: Of the story that found it when it was written.
    """

    name: str
    suffering: str
    where: str
    was: str
    becomes: str
    seed: int = 0


AGENT: Final = "gate_bridge.agent"
BUGS: Final = (
    Bug(
        "other_presentation",
        "An order that comes late opens for the next car.",
        f"{AGENT}.guards:refusal",
        "if situation.presentation_id != order.presentation_id:",
        "if False:",
    ),
    Bug(
        "expired",
        "An order that waited for long goes as far as the relay.",
        f"{AGENT}.guards:_time_refusal",
        "if situation.server_latest > order.issued_at + timedelta(milliseconds=order.ttl_ms):",
        "if False:",
        seed=1,
    ),
    Bug(
        "stale_epoch",
        "A bridge that was fenced still opens.",
        f"{AGENT}.guards:refusal",
        "if situation.session_epoch != order.session_epoch:",
        "if False:",
    ),
    Bug(
        "duplicate_command_id",
        "The same order is carried out twice.",
        f"{AGENT}.opening:Opening._carry_out",
        "if stored is not None and stored.status is not None:",
        "if False:",
    ),
    Bug(
        "one_open_one_pass",
        "The arm is told to rise for the next car while the one before is under it.",
        f"{AGENT}.machines.passages:Passages.objection",
        "if self._is_on.get(ContactUse.EXIT_LOOP, False):",
        "if False:",
        seed=4,
    ),
    Bug(
        "open_before_the_car_before_has_passed",
        "The next car is let in before the one before was seen to pass.",
        f"{AGENT}.machines.passages:Passages.objection",
        "if opening is not None and not opening.is_pulsing and not self._is_done(opening):",
        "if False:",
    ),
    Bug(
        "forgotten_before_it_is_committed",
        "An event is dropped as soon as it is sent: what the bridge had no room for is lost.",
        f"{AGENT}.session:BridgeSession._send",
        "self._bridge.told()",
        "self._bridge.told(); await self._journal.acknowledge(event.seq)",
    ),
    Bug(
        "acknowledged_one_too_many",
        "The event after the last one that was committed is dropped.",
        f"{AGENT}.session:BridgeSession._send",
        "await self._journal.acknowledge(last_seq)",
        "await self._journal.acknowledge(last_seq + 1)",
    ),
    Bug(
        "stale_epoch_ends_an_event",
        "Events that reach a fenced bridge are set aside for good.",
        f"{AGENT}.session:BridgeSession._is_final",
        "and error.wire_code != StaleEpochError.code",
        "",
    ),
    Bug(
        "pulsed_before_it_is_written",
        "A kill between pulse and result opens a second time.",
        f"{AGENT}.opening:Opening._carry_out",
        "await self._journal.begin_command(order.command_id, order.presentation_id)",
        "pass",
        seed=1,
    ),
    Bug(
        "full_disk_is_passed_over",
        "A car that leaves while the disk is full is never told of.",
        f"{AGENT}.lane_state:LaneState._write",
        "await asyncio.sleep(FULL_RETRY_S)",
        "return",
        seed=2,
    ),
    Bug(
        "slow_relay_is_not_asked_again",
        "The relay takes its time, the car backs out, and the arm rises for nobody.",
        f"{AGENT}.machines.relay:Permit.check",
        "if reason is not None:",
        "if False:",
    ),
    Bug(
        "slow_relay_outlives_the_order",
        "The relay takes its time, and opens after the order has run out.",
        f"{AGENT}.machines.relay:Permit.check",
        "if self.left_s() <= 0:",
        "if False:",
    ),
    Bug(
        "own_clock_believed",
        "A clock that is ten minutes behind lets old orders open.",
        f"{AGENT}.session:BridgeSession.situation",
        "self._server_time.latest(),",
        "self._health._clock.now(),",
    ),
    Bug(
        "an_unknown_pulse_counts_as_refused",
        "A pulse that the relay did not confirm is answered as one that did not happen.",
        f"{AGENT}.opening:Opening._pulse",
        "except PulseUnknownError as error:",
        "except ZeroDivisionError as error:",
        seed=4,
    ),
    Bug(
        "restarted_and_not_presented_anew",
        "While nobody watched, another car has taken the place of the one that is opened for.",
        f"{AGENT}.lane_state:LaneState.start",
        "self._unsure.set()",
        "return self._mark()",
        seed=2,
    ),
    Bug(
        "restarted_and_who_passed_is_forgotten",
        "After a restart with the arm up, the next car passes on the order of the one before.",
        f"{AGENT}.lane_state:LaneState._is_second",
        "return is_before and command_id is not None and command_id == self._passed",
        "return False",
        seed=12,
    ),
    Bug(
        "own_decision_is_forgotten",
        "The gate lets a car in by itself, and the bridge opens for it once more.",
        f"{AGENT}.opening:Opening._is_open_for",
        "return own is not None and own.status is CommandStatus.ACCEPTED",
        "return False",
        seed=9,
    ),
    Bug(
        "thawed_and_not_told",
        "A process that stood still believes that the car of before still stands there.",
        f"{AGENT}.machines.machine:LaneMachine._stood_still",
        "was_there = self._passages.loop_occupied()",
        "return",
        seed=1,
    ),
    Bug(
        "nothing_waits_for_the_disk",
        "What was answered and pulsed is not written yet, and a kill makes it undone.",
        f"{AGENT}.journal:Journal._write",
        "await asyncio.shield(self._run(write))",
        "asyncio.ensure_future(self._run(write))",
    ),
)


@contextmanager
def spoilt(bug: Bug) -> Generator[None]:
    """Put the bug into the product until the end of the block."""
    function = _find(bug.where)
    sound = function.__code__
    function.__code__ = _spoil(function, bug)
    try:
        yield
    finally:
        function.__code__ = sound


def _find(where: str) -> FunctionType:
    module, _, names = where.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    assert isinstance(found, FunctionType), where
    return found


def _spoil(function: FunctionType, bug: Bug) -> CodeType:
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(bug.was) == 1, f"{bug.where} has changed: write {bug.name} anew"
    tree = ast.parse(source.replace(bug.was, bug.becomes))
    code = compile(tree, inspect.getfile(function), "exec")
    [spoilt_code] = [part for part in code.co_consts if isinstance(part, CodeType)]
    return spoilt_code
