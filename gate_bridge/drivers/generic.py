"""Any webhook: an installer says which field means what (`field_map.py`)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.device_pictures import base64_picture
from gate_bridge.drivers.device_times import epoch_time, wall_time, written_time
from gate_bridge.drivers.field_map import FieldMap, TimeForm, read_field_map
from gate_bridge.drivers.field_paths import FieldPath
from gate_bridge.drivers.headings import heading_of_degrees
from gate_bridge.drivers.json_body import JsonPart
from gate_bridge.drivers.json_parts import Webhook, read_webhook
from gate_bridge.drivers.lateness import is_late
from gate_bridge.drivers.plain_reply import PlainReply
from gate_bridge.drivers.plate_text import plate_text
from gate_bridge.drivers.port import (
    CameraRead,
    CarState,
    DeviceMessage,
    DevicePicture,
    DeviceSettings,
    DeviceSignal,
    Heading,
    NotAnprError,
)

_PER_S: Final = {TimeForm.SECONDS.value: 1, TimeForm.MILLISECONDS.value: 1000}


class GenericDriver(PlainReply):
    """JSON or a form, over HTTP or MQTT."""

    name = "generic"

    def check(self, settings: DeviceSettings) -> None:
        """Look through the options.

        Raises:
            InvalidInputError: naming the option.
        """
        read_field_map(DeviceOptions(settings.options))

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> Sequence[DeviceSignal]:
        """Return what the message says."""
        fields = read_field_map(DeviceOptions(settings.options))
        webhook = read_webhook(message)
        top = _top(webhook, fields)
        for path, values in fields.only_if:
            if _word(path.of(top, top)) not in values:
                raise NotAnprError("options.only_if: another value")
        items = [top] if fields.reads is None else list(fields.reads.of(top, top).items())
        plate = fields.paths["plate"]
        items = [item for item in items if plate.leads_somewhere(top, item)]
        if not items:
            where = DeviceOptions(settings.options).text("plate", "")
            raise NotAnprError(f"options.plate: the message has no {where}")
        decoded = _Pictures()
        return [
            _Message(top, item, message, settings, fields, decoded).read(webhook.pictures)
            for item in items
        ]


class _Pictures:
    """The pictures of one message, each decoded once: many cars may show the same one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], DevicePicture | None] = {}

    def of(self, text: str, *, is_plate: bool) -> DevicePicture | None:
        """Return the picture that a text holds; None for none."""
        key = (text, is_plate)
        if key not in self._known:
            self._known[key] = base64_picture(text, is_plate_only=is_plate)
        return self._known[key]


def _top(webhook: Webhook, fields: FieldMap) -> JsonPart:
    if webhook.body is None and not fields.json_field:
        return webhook.form()
    return webhook.json(fields.json_field or "json")


class _Message:
    """One car of one message."""

    def __init__(
        self,
        top: JsonPart,
        item: JsonPart,
        message: DeviceMessage,
        settings: DeviceSettings,
        fields: FieldMap,
        decoded: _Pictures,
    ) -> None:
        self._top = top
        self._item = item
        self._message = message
        self._settings = settings
        self._fields = fields
        self._decoded = decoded

    def read(self, pictures: tuple[DevicePicture, ...]) -> CameraRead:
        """Return what the message says of the car.

        Raises:
            InvalidInputError: names the part that cannot be read.
        """
        plate = plate_text(self._part("plate").text())
        return CameraRead(
            plate=plate,
            confidence=0.0 if plate is None else self._confidence(),
            captured_at=self._captured_at(),
            heading=self._heading(),
            state=self._fields.states.get(_word(self._part("state")), CarState.NEW),
            read_id=self._part("read_id").text() or None,
            car_id=self._part("car_id").text() or None,
            region=self._part("region").text() or None,
            is_backfill=self._is_backfill(),
            pictures=(*pictures, *self._pictures()),
        )

    def _part(self, name: str) -> JsonPart:
        path = self._fields.paths.get(name)
        return JsonPart(None) if path is None else path.of(self._top, self._item)

    def _confidence(self) -> float:
        scaled = self._part("confidence").scaled(self._fields.confidence_full)
        return self._fields.assumed_confidence if scaled is None else scaled

    def _captured_at(self) -> datetime:
        part, form = self._part("time"), self._fields.time_form
        if form in _PER_S:
            counted = part.number()
            if counted is None:
                return self._message.received_at
            return epoch_time(counted, part.path, per_s=_PER_S[form])
        written = part.text()
        if not written:
            return self._message.received_at
        zone, near = self._settings.zone, self._message.received_at
        if form == TimeForm.ISO:
            return written_time(written, zone, near, part.path)
        try:
            moment = datetime.strptime(written.strip(), form)  # noqa: DTZ007 - of the device's zone
            return moment if moment.tzinfo is not None else wall_time(moment, zone, near)
        except (ValueError, OverflowError):
            raise part.error(f"a time as options.time_form says: {form}") from None

    def _heading(self) -> Heading:
        if "direction_degrees" in self._fields.paths:
            degrees = self._part("direction_degrees").number()
            return heading_of_degrees(degrees, DeviceOptions(self._settings.options))
        words = {heading.value: heading for heading in Heading} | dict(self._fields.headings)
        return words.get(_word(self._part("heading")), Heading.UNKNOWN)

    def _is_backfill(self) -> bool:
        told = _word(self._part("backfill"))
        return told in self._fields.backfill_values or is_late(self._message)

    def _pictures(self) -> Iterator[DevicePicture]:
        for paths, is_plate in (
            (self._fields.pictures, False),
            (self._fields.plate_pictures, True),
        ):
            for path in paths:
                found = self._picture(path, is_plate=is_plate)
                if found is not None:
                    yield found

    def _picture(self, path: FieldPath, *, is_plate: bool) -> DevicePicture | None:
        value = path.of(self._top, self._item).value
        return self._decoded.of(value, is_plate=is_plate) if isinstance(value, str) else None


def _word(part: JsonPart) -> str:
    if isinstance(part.value, bool):
        return str(part.value).lower()
    return (part.text() or "").strip().lower()
