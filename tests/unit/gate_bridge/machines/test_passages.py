"""What contacts and pulses mean for a lane, order by order."""

import pytest

from gate_bridge.agent.barrier import ArmPosition, Feedback
from gate_bridge.agent.machines.contacts import ContactUse, Wiring
from tests.unit.gate_bridge.machines.passage_script import PassageScript

LOOP = frozenset({ContactUse.LOOP})
ARM = LOOP | {ContactUse.ARM_UP, ContactUse.ARM_DOWN}
FULL = ARM | {ContactUse.EXIT_LOOP, ContactUse.OBSTRUCTED, ContactUse.OPENED_BY_HAND}
BLIND_ARM = LOOP | {ContactUse.EXIT_LOOP}

AT_REST = "up- down+"
RISES = "down- up+"
FALLS = "up- down+"
PASSES = "exit+ loop- exit- wait:1"


def script(uses: frozenset[ContactUse], **rules: float) -> PassageScript:
    return PassageScript(Wiring(uses=uses, **rules))  # pyright: ignore[reportArgumentType]


# Every contact is wired: the whole story can be told.
FULLY_WIRED = [
    (
        "a car passes",
        f"loop+ pulse {RISES} exit+ loop- exit- wait:1 {FALLS}",
        "car opening/1 opened/1 free passed/1 lower closed/1",
    ),
    (
        "the loops lie apart",
        f"loop+ pulse {RISES} loop- wait:3 exit+ wait:1 exit- wait:1 {FALLS}",
        "car opening/1 opened/1 free passed/1 lower closed/1",
    ),
    (
        "a trailer leaves a gap",
        f"loop+ pulse {RISES} exit+ loop- exit- exit+ wait:1 exit- wait:1 {FALLS}",
        "car opening/1 opened/1 free passed/1 lower closed/1",
    ),
    (
        "the arm is down before the exit loop counts as free",
        f"loop+ pulse {RISES} exit+ loop- wait:2 exit- {FALLS} wait:1",
        "car opening/1 opened/1 free closed/1 passed/1",
    ),
    (
        "the car backs out before the arm is open",
        f"loop+ pulse loop- {RISES} wait:12 {FALLS}",
        "car free opening/1 opened/1 backed_out/1 lower closed/1",
    ),
    (
        "the car backs out under the open arm",
        f"loop+ pulse {RISES} loop- wait:5 {FALLS}",
        "car opening/1 opened/1 free backed_out/1 closed/1",
    ),
    (
        "the car rolls back from the exit loop and drives on",
        f"loop+ pulse {RISES} exit+ exit- wait:1 exit+ loop- exit- wait:1 {FALLS}",
        "car opening/1 opened/1 free passed/1 lower closed/1",
    ),
    (
        "the car rolls back from the exit loop and backs out",
        f"loop+ pulse {RISES} exit+ exit- wait:1 loop- wait:11 {FALLS}",
        "car opening/1 opened/1 free backed_out/1 lower closed/1",
    ),
    (
        "a second car follows",
        f"loop+ pulse {RISES} exit+ loop- loop+ exit- wait:1 exit+ loop- exit- wait:1 {FALLS}",
        "car opening/1 opened/1 free car passed/1 lower tailgate/1 free closed/1",
    ),
    (
        "a second car follows so closely that the exit loop never is free",
        f"loop+ pulse {RISES} exit+ loop- loop+ loop- exit- wait:1 {FALLS}",
        "car opening/1 opened/1 free car free tailgate/1 passed/1 lower closed/1",
    ),
    (
        "another car uses the opening of one that backed out",
        f"loop+ pulse {RISES} loop- wait:11 loop+ exit+ loop- exit- wait:1 {FALLS}",
        "car opening/1 opened/1 free backed_out/1 lower car tailgate/1 free closed/1",
    ),
    (
        "two cars with an order each, while the arm stays up",
        f"loop+ pulse {RISES} {PASSES} loop+ pulse {PASSES} {FALLS}",
        "car opening/1 opened/1 free passed/1 lower car opened/2 free passed/2 lower closed/2",
    ),
    (
        "the arm falls for the first car while it is told to rise for the second",
        f"loop+ pulse {RISES} exit+ loop- exit- wait:1 loop+ up- pulse down+ {RISES} {FALLS}",
        "car opening/1 opened/1 free passed/1 lower car opening/2 opened/2 closed/2",
    ),
    (
        "the lower contact bounces while the arm begins to rise",
        f"loop+ pulse down- down+ {RISES} {PASSES} {FALLS}",
        "car opening/1 opened/1 free passed/1 lower closed/1",
    ),
    (
        "the arm does not move",
        "loop+ pulse wait:20 loop-",
        "car obstructed/1 free",
    ),
    (
        "the car leaves an arm that does not move",
        "loop+ pulse loop- wait:20",
        "car free backed_out/1 lower obstructed/1",
    ),
    (
        "the arm stops half-way",
        "loop+ pulse down- wait:20 wait:20",
        "car opening/1 obstructed/1",
    ),
    (
        "the arm comes down on something, which goes away",
        f"loop+ pulse {RISES} exit+ loop- exit- wait:1 up- blocked+ up+ blocked- {FALLS}",
        "car opening/1 opened/1 free passed/1 lower obstructed/1 closed/1",
    ),
    (
        "something stands under the arm while the car has passed",
        f"loop+ pulse {RISES} blocked+ exit+ loop- exit- wait:1 blocked- {FALLS}",
        "car opening/1 opened/1 free passed/1 lower closed/1",
    ),
    (
        "a car stands in the light barrier for long",
        f"loop+ pulse {RISES} blocked+ wait:20 blocked- exit+ loop- exit- wait:1",
        "car opening/1 opened/1 obstructed/1 free passed/1 lower",
    ),
    (
        "the arm rises without an order and the car drives through",
        f"loop+ {RISES} exit+ loop- exit- wait:1 {FALLS}",
        "car manual_open/h1 opened/h1 free passed/h1 lower closed/h1",
    ),
    (
        "the arm rises without an order and nobody is there",
        f"{RISES} wait:5 {FALLS}",
        "manual_open/h1 opened/h1 closed/h1",
    ),
    (
        "the button is pressed, and the arm rises by it",
        f"loop+ button+ {RISES} button- exit+ loop- exit- wait:1 {FALLS}",
        "car manual_open/h1 opening/h1 opened/h1 free passed/h1 lower closed/h1",
    ),
    (
        "the button is pressed before the car is there",
        f"button+ {RISES} button- loop+ exit+ loop- exit- wait:1 {FALLS}",
        "manual_open/h1 opening/h1 opened/h1 car free passed/h1 lower closed/h1",
    ),
    (
        "the button is pressed while another car is on its way",
        f"loop+ pulse {RISES} loop- button+ exit+ exit- wait:1 {FALLS}",
        "car opening/1 opened/1 free manual_open/h1 passed/1 lower closed/1",
    ),
    (
        "the relay was certainly not pulsed, and the arm rises after all",
        f"loop+ pulse_failed {RISES}",
        "car manual_open/h1 opened/h1",
    ),
    (
        "nobody knows whether the relay was pulsed; the arm shows that it was",
        f"loop+ pulse_unknown {RISES} exit+ loop- exit- wait:1",
        "car opening/1 opened/1 free passed/1 lower",
    ),
    (
        "the arm rises while the relay is still at it",
        f"loop+ begin {RISES} done exit+ loop- exit- wait:1",
        "car opening/1 opened/1 free passed/1 lower",
    ),
    (
        "a device sees the car pass, and then another one",
        f"loop+ pulse {RISES} loop- passed passed",
        "car opening/1 opened/1 free passed/1 lower tailgate/1",
    ),
    (
        "the contacts fall silent for a while",
        f"loop+ blind loop+ pulse {RISES} exit+ loop- exit- wait:1",
        "car free car opening/1 opened/1 free passed/1 lower",
    ),
    (
        "the contacts fall silent while the car passes",
        f"loop+ pulse {RISES} exit+ blind loop- exit- wait:1",
        "car opening/1 opened/1 free passed/1 lower",
    ),
    ("the exit loop stays occupied", "exit+ wait:20 wait:20 exit-", "obstructed"),
    (
        "somebody walks through the exit loop",
        "exit+ exit- loop+ exit+ exit- wait:1 loop-",
        "car free",
    ),
]

# Only the arm can be seen.
ARM_ONLY = [
    (
        "a car passes",
        f"loop+ pulse {RISES} wait:1 loop- {FALLS}",
        "car opening/1 opened/1 free passed/1 closed/1",
    ),
    (
        "the car backs out before the arm can be open",
        f"loop+ pulse down- loop- up+ {FALLS}",
        "car opening/1 free backed_out/1 opened/1 closed/1",
    ),
    (
        "the car leaves an arm that did not move",
        "loop+ pulse wait:5 loop-",
        "car free backed_out/1",
    ),
    (
        "a second car leaves the loop while the arm is up",
        f"loop+ pulse {RISES} wait:1 loop- loop+ loop- {FALLS}",
        "car opening/1 opened/1 free passed/1 car free tailgate/1 closed/1",
    ),
]

# Nothing but a relay and the entry loop.
RELAY_ONLY = [
    ("a car passes", "loop+ pulse wait:4 loop-", "car pulsed/1 free passed/1"),
    (
        "the car leaves too soon to have passed",
        "loop+ pulse loop-",
        "car pulsed/1 free backed_out/1",
    ),
    ("the car leaves when the arm is long down", "loop+ pulse wait:40 loop-", "car pulsed/1 free"),
    (
        "nobody knows whether the relay was pulsed",
        "loop+ pulse_unknown wait:4 loop-",
        "car pulsed/1 free passed/1",
    ),
    ("the relay failed", "loop+ pulse_failed wait:4 loop-", "car free"),
    (
        "two cars with an order each",
        "loop+ pulse wait:4 loop- loop+ pulse wait:4 loop-",
        "car pulsed/1 free passed/1 car pulsed/2 free passed/2",
    ),
    ("a named person opens", "loop+ hand:Lee wait:4 loop-", "car manual_open/h1 free passed/h1"),
]

# A relay, the entry loop, and a light barrier behind the arm.
RELAY_AND_EXIT = [
    ("a car passes", "loop+ pulse exit+ loop- exit- wait:1", "car pulsed/1 free passed/1 lower"),
    ("a car backs out", "loop+ pulse wait:4 loop- wait:11", "car pulsed/1 free backed_out/1 lower"),
    (
        "a second car follows",
        "loop+ pulse exit+ loop- exit- wait:1 loop+ exit+ loop- exit- wait:1",
        "car pulsed/1 free passed/1 lower car tailgate/1 free",
    ),
    (
        "a car drives through without an order",
        "loop+ exit+ loop- exit- wait:1",
        "car manual_open/h1 free passed/h1 lower",
    ),
    (
        "somebody walks through the light barrier while a car waits",
        "loop+ exit+ exit- wait:1 pulse exit+ loop- exit- wait:1",
        "car pulsed/1 free passed/1 lower",
    ),
]


@pytest.mark.parametrize(("name", "steps", "told"), FULLY_WIRED, ids=lambda value: str(value)[:50])
def test_with_every_contact(name: str, steps: str, told: str) -> None:
    lane = script(FULL)
    assert lane.play(AT_REST) == []
    assert lane.play(steps) == told.split(), name


@pytest.mark.parametrize(("name", "steps", "told"), ARM_ONLY, ids=lambda value: str(value)[:50])
def test_with_the_arm_s_contacts_only(name: str, steps: str, told: str) -> None:
    lane = script(ARM)
    lane.play(AT_REST)
    assert lane.play(steps) == told.split(), name


@pytest.mark.parametrize(("name", "steps", "told"), RELAY_ONLY, ids=lambda value: str(value)[:50])
def test_with_a_relay_only(name: str, steps: str, told: str) -> None:
    assert script(LOOP).play(steps) == told.split(), name


@pytest.mark.parametrize(
    ("name", "steps", "told"), RELAY_AND_EXIT, ids=lambda value: str(value)[:50]
)
def test_with_a_relay_and_an_exit_loop(name: str, steps: str, told: str) -> None:
    assert script(BLIND_ARM).play(steps) == told.split(), name


def reasons_of(lane: PassageScript) -> list[str | None]:
    return [outcome.reason for outcome in lane.outcomes if isinstance(outcome, Feedback)]


def test_what_was_not_seen_says_so() -> None:
    relay_only = script(LOOP)
    relay_only.play("loop+ pulse wait:4 loop-")
    inferred = "inferred: it left the loop after the pulse"
    assert reasons_of(relay_only) == [None, None, None, inferred]
    arm_only = script(ARM)
    arm_only.play(f"{AT_REST} loop+ pulse {RISES} wait:1 loop-")
    assert reasons_of(arm_only)[-1] == "inferred: it left the loop while the arm was up"
    seen = script(FULL)
    seen.play(f"{AT_REST} loop+ pulse {RISES} exit+ loop- exit- wait:1")
    assert reasons_of(seen) == [None] * 5


def test_an_owner_may_want_no_guesses() -> None:
    lane = PassageScript(Wiring(uses=LOOP, is_passage_inferred=False))
    assert lane.play("loop+ pulse wait:4 loop-") == ["car", "pulsed/1", "free"]


def test_an_opening_without_an_order_has_an_operator_and_a_reason() -> None:
    lane = script(FULL)
    lane.play(f"{AT_REST} {RISES}")
    first = lane.outcomes[0]
    assert isinstance(first, Feedback)
    assert (first.operator, first.reason) == ("unknown", "opened without an order")


def test_the_site_names_whoever_presses_the_button() -> None:
    wiring = Wiring(uses=FULL, hand_operator="porter's lodge", hand_reason="button at the lodge")
    lane = PassageScript(wiring)
    lane.play("button+")
    first = lane.outcomes[0]
    assert isinstance(first, Feedback)
    assert (first.operator, first.reason) == ("porter's lodge", "button at the lodge")


def test_an_arm_that_is_found_open_was_opened_by_an_earlier_process() -> None:
    lane = script(FULL)
    assert lane.play("loop+ down- up+") == ["car"]
    assert lane.passages.position(lane.now_s) is ArmPosition.UP
    told = ["free", "passed/before", "lower", "closed/before"]
    assert lane.play(f"exit+ loop- exit- wait:1 {FALLS}") == told


def test_a_car_that_drives_through_during_a_restart_has_passed() -> None:
    lane = script(FULL)
    assert lane.play("loop- exit+ down- up+") == []
    assert lane.play(f"exit- wait:1 {FALLS}") == [
        "passed/before",
        "lower",
        "closed/before",
    ]


def test_nobody_backs_out_of_an_opening_of_before_the_restart() -> None:
    # Its order may be of a car that is long inside: its stay must not end by it.
    lane = script(FULL)
    lane.play("loop+ down- up+")
    assert lane.play(f"loop- wait:30 {FALLS}") == ["free", "lower", "closed/before"]


@pytest.mark.parametrize("uses", [LOOP, ARM])
def test_a_car_that_follows_at_once_under_a_raised_arm_has_not_backed_out(
    uses: frozenset[ContactUse],
) -> None:
    lane = script(uses)
    if uses == ARM:
        lane.play(f"{AT_REST} loop+ pulse {RISES} wait:3 loop-")
    else:
        lane.play("loop+ pulse wait:3 loop-")
    assert lane.play("loop+ pulse loop-")[-1] == "passed/2"


def test_an_arm_that_was_just_told_to_rise_does_not_count_as_down() -> None:
    lane = script(FULL)
    lane.play(f"{AT_REST} loop+")
    assert lane.passages.position(lane.now_s) is ArmPosition.DOWN
    lane.play("pulse_unknown")
    assert lane.passages.position(lane.now_s) is ArmPosition.MOVING
    lane.play("wait:2")
    assert lane.passages.position(lane.now_s) is ArmPosition.DOWN


def test_an_unseen_arm_counts_as_down_only_when_it_must_have_fallen() -> None:
    lane = script(LOOP)
    assert lane.passages.position(lane.now_s) is ArmPosition.UNKNOWN
    lane.play("wait:31 loop+")
    assert lane.passages.position(lane.now_s) is ArmPosition.DOWN
    lane.play("pulse wait:20")
    assert lane.passages.position(lane.now_s) is ArmPosition.UNKNOWN
    lane.play("wait:20")
    assert lane.passages.position(lane.now_s) is ArmPosition.DOWN


@pytest.mark.parametrize(
    ("steps", "objection"),
    [
        ("loop+", None),
        ("", "no car stands on the loop"),
        ("loop+ loop-", "no car stands on the loop"),
        ("loop+ blind", "no car stands on the loop"),
        ("loop+ blind loop+", None),
        (f"loop+ pulse {RISES} loop- loop+", "the car before has not passed yet"),
        (f"loop+ pulse {RISES} exit+ loop- loop+", "the car before has not passed yet"),
        (f"loop+ pulse {RISES} exit+ loop- loop+ exit- wait:1", None),
        (f"loop+ pulse {RISES} exit+ loop- exit- wait:1 loop+ exit+", "a car is under the arm"),
        (f"loop+ pulse {RISES} loop- wait:11 loop+", None),
        ("loop+ pulse", None),
        ("hand:Lee loop+", None),
    ],
)
def test_when_the_arm_may_be_raised(steps: str, objection: str | None) -> None:
    lane = script(FULL)
    lane.play(f"{AT_REST} {steps}")
    found = lane.passages.objection()
    assert found == objection or (objection is not None and (found or "").startswith(objection))


@pytest.mark.parametrize(
    ("uses", "steps", "positions"),
    [
        ({ContactUse.ARM_UP}, "up- up+ up-", "down up down"),
        ({ContactUse.ARM_DOWN}, "down+ down- down+", "down moving down"),
        ({ContactUse.ARM_UP, ContactUse.ARM_DOWN}, "up- down+ up+", "unknown down unknown"),
        (set[ContactUse](), "arm:down arm:moving arm:up", "down moving up"),
    ],
)
def test_where_the_arm_is(uses: set[ContactUse], steps: str, positions: str) -> None:
    lane = script(LOOP | uses)
    found: list[str] = []
    for step in steps.split():
        lane.play(step)
        found.append(lane.passages.position(lane.now_s).value)
    assert found == positions.split()


def test_an_arm_with_a_lower_contact_only_is_never_called_open() -> None:
    lane = script(LOOP | {ContactUse.ARM_DOWN})
    told = lane.play("down+ loop+ pulse down- wait:20 loop- down+")
    assert told == ["car", "pulsed/1", "opening/1", "free", "passed/1", "closed/1"]


@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [
        # It backs out, and the arm falls.
        (f"loop- {FALLS} failed", ["free", "backed_out/1", "closed/1"]),
        (f"{FALLS} failed loop-", ["closed/1", "free"]),
        # It drives through.
        ("loop- exit+ failed exit- wait:1", ["free", "passed/1", "lower"]),
        (f"loop- exit+ {FALLS} failed exit- wait:1", ["free", "closed/1", "passed/1"]),
    ],
)
def test_what_happens_during_a_pulse_that_fails_is_not_forgotten(
    meanwhile: str, told: list[str]
) -> None:
    lane = script(FULL)
    # Its car still stands there, and is let in once more.
    lane.play(f"loop+ pulse {RISES} wait:2 begin")
    assert lane.play(meanwhile) == told
    # The next one is not kept waiting for it.
    lane.play("wait:11 loop+")
    assert not lane.passages.is_way_taken()
