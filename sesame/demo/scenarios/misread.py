"""A plate that is read wrongly at the exit: its stay is found, and its driver is charged."""

from uuid import UUID

from parking.plates.normalise import fold_plate
from sesame.demo.scenarios.act import Act
from sesame.demo.scenarios.stage import Stage, session_uuid
from sesame.demo.town import LAKESIDE


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    misread = stage.cast.misread
    plate = misread.car.plate
    operator_id = stage.town.town.place(LAKESIDE).operator_id
    async with stage.town.phone(plate) as phone:
        await stage.bind(act, phone, misread.car)
        await stage.drive_in(act, LAKESIDE, misread.car)
        session_id = session_uuid(await phone.active_session(plate))
        await stage.stay(act)
        act.step(f"the exit's camera sees {misread.text}")
        visit = await stage.drive_out(act, LAKESIDE, misread.pictures)

        text = await stage.witness.text_read(operator_id, UUID(visit.presentation_id))
        act.expect_that(
            f"the exit read something else than {plate}", holds=fold_plate(str(text)) != plate
        )
        act.facts["read_as"] = str(text)
        act.facts["picture"] = "dirtied by the demo" if misread.painted else "as given"
        display = await visit.display()
        act.expect("the plate on the display", display["lines"][0], plate)
        await stage.expect_paid_once(act, operator_id, session_id, kind="charge")
