"""Which field of a message means what, read from a device's options once and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, cast

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.field_paths import FieldPath, read_path
from gate_bridge.drivers.headings import DEGREE_OPTIONS, heading_of_degrees, heading_words
from gate_bridge.drivers.port import CarState, Heading
from parking.kit.errors import InvalidInputError

SCALE_MAX: Final = 1_000_000.0
PICTURES_MAX: Final = 4
CONDITIONS_MAX: Final = 8
VALUES_MAX: Final = 32
FORMAT_LENGTH_MAX: Final = 64


class TimeForm(StrEnum):
    """How a message writes times."""

    ISO = "iso"
    SECONDS = "epoch_s"
    MILLISECONDS = "epoch_ms"


PATH_OPTIONS: Final = (
    "backfill",
    "car_id",
    "confidence",
    "direction_degrees",
    "heading",
    "plate",
    "read_id",
    "region",
    "state",
    "time",
)
_OTHER_OPTIONS: Final = (
    "assumed_confidence",
    "backfill_values",
    "confidence_full",
    "headings",
    "json_field",
    "only_if",
    "pictures",
    "plate_pictures",
    "reads",
    "states",
    "time_form",
    *DEGREE_OPTIONS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """What an installer says of a webhook.

    Attributes:
        paths: Where each value stands, by the option's name.
        reads: Where the list of cars stands; None where a message tells of one.
        time_form: One of `TimeForm`, or a pattern of `strptime`.
        only_if: Which values a message must have to be about a car.
        backfill_values: What the field says of a late read, in lower case.
        json_field: The form's field that holds JSON; empty where its fields are the values.
        assumed_confidence: Where the message has none.
    """

    paths: Mapping[str, FieldPath]
    reads: FieldPath | None
    confidence_full: float
    time_form: str
    headings: Mapping[str, Heading]
    states: Mapping[str, CarState]
    only_if: tuple[tuple[FieldPath, frozenset[str]], ...]
    backfill_values: frozenset[str]
    pictures: tuple[FieldPath, ...]
    plate_pictures: tuple[FieldPath, ...]
    json_field: str
    assumed_confidence: float


def read_field_map(options: DeviceOptions) -> FieldMap:
    """Return the map that the options describe.

    Raises:
        InvalidInputError: naming the option.
    """
    options.only(*PATH_OPTIONS, *_OTHER_OPTIONS)
    paths = {
        name: read_path(written, f"options.{name}")
        for name in PATH_OPTIONS
        if (written := options.text(name))
    }
    if "plate" not in paths:
        raise InvalidInputError("options.plate", "the path of the plate")
    heading_of_degrees(0, options)
    reads = options.text("reads")
    return FieldMap(
        paths=paths,
        reads=read_path(reads, "options.reads") if reads else None,
        confidence_full=options.number("confidence_full", 1, SCALE_MAX) or 1.0,
        time_form=_time_form(options),
        headings=heading_words(options),
        states=_states(options),
        only_if=_conditions(options),
        backfill_values=_lowered(options.texts("backfill_values", VALUES_MAX))
        or frozenset({"1", "true", "yes"}),
        pictures=_paths(options, "pictures"),
        plate_pictures=_paths(options, "plate_pictures"),
        json_field=options.text("json_field"),
        assumed_confidence=options.assumed_confidence(),
    )


def _paths(options: DeviceOptions, name: str) -> tuple[FieldPath, ...]:
    written = options.texts(name, PICTURES_MAX)
    return tuple(read_path(text, f"options.{name}") for text in written)


def _lowered(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(text.strip().lower() for text in texts)


def _states(options: DeviceOptions) -> Mapping[str, CarState]:
    states: dict[str, CarState] = {state.value: state for state in CarState}
    for word, value in options.table("states", VALUES_MAX).items():
        try:
            states[word.strip().lower()] = CarState(str(value))
        except ValueError:
            expected = f"one of {', '.join(CarState)}"
            raise InvalidInputError(f"options.states.{word}", expected) from None
    return states


def _conditions(options: DeviceOptions) -> tuple[tuple[FieldPath, frozenset[str]], ...]:
    conditions: list[tuple[FieldPath, frozenset[str]]] = []
    for path, value in options.table("only_if", CONDITIONS_MAX).items():
        where = f"options.only_if.{path}"
        values = cast("list[object]", value) if isinstance(value, list) else [value]
        if not values or len(values) > VALUES_MAX:
            raise InvalidInputError(where, f"1 to {VALUES_MAX} values")
        conditions.append((read_path(path, where), _lowered(tuple(_word(v) for v in values))))
    return tuple(conditions)


def _word(value: object) -> str:
    # `true` in an installer's file and in a message are written alike.
    return str(value).lower()


def _time_form(options: DeviceOptions) -> str:
    form = options.text("time_form", TimeForm.ISO)
    if form in set(TimeForm):
        return form
    expected = f"{', '.join(TimeForm)}, or a pattern such as %d.%m.%Y %H:%M:%S"
    if len(form) > FORMAT_LENGTH_MAX or "%" not in form:
        raise InvalidInputError("options.time_form", expected)
    sample = datetime(2026, 1, 31, 22, 30, 59, tzinfo=UTC)
    try:
        read_back = datetime.strptime(sample.strftime(form), form)  # noqa: DTZ007 - a check
    except ValueError:
        raise InvalidInputError("options.time_form", expected) from None
    if read_back.replace(tzinfo=None) != sample.replace(tzinfo=None):
        raise InvalidInputError("options.time_form", "a pattern with date, hour, minute and second")
    return form
