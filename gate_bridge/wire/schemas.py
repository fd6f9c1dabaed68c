"""JSON Schemas (draft 2020-12) of the wire, from the models that both ends check with.

Pydantic's own schemas leave out what our validators add: ids in one form, times with a zone, text
without control characters. It is put back here, as patterns, so that no format checker is needed.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from gate_bridge.wire.actions import AGENT_CALLS, BRIDGE_CALLS, RESULTS, WireModel
from gate_bridge.wire.errors import WIRE_CODES
from gate_bridge.wire.limits import CALL_ID_CHARACTERS_MAX, SUBPROTOCOL

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MESSAGES: Final = "messages"

Schema = dict[str, Any]

_HEX: Final = "[0-9a-fA-F]"
_UUID: Final = f"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}$"
_UUID7: Final = f"^{_HEX}{{8}}-{_HEX}{{4}}-7{_HEX}{{3}}-[89abAB]{_HEX}{{3}}-{_HEX}{{12}}$"
_TIME: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$"
# Control characters (Cc) and the two line breaks of Unicode (Zl, Zp).
_ONE_LINE: Final = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$"
_FORMATS: Final[Mapping[str, Schema]] = {
    "uuid": {"format": "uuid", "pattern": _UUID},
    "uuid7": {"format": "uuid", "pattern": _UUID7},
    "date-time": {"format": "date-time", "pattern": _TIME},
}


def schemas() -> dict[str, Schema]:
    """Return every schema by its name: one for each payload, and one for the messages."""
    calls = {**AGENT_CALLS, **BRIDGE_CALLS}
    found = {f"{action}.call": _payload(model) for action, model in calls.items()}
    found |= {f"{action}.result": _payload(RESULTS[action]) for action in calls}
    found[MESSAGES] = _messages()
    return {name: _named(name, schema) for name, schema in sorted(found.items())}


def _named(name: str, schema: Schema) -> Schema:
    return {"$schema": DIALECT, "$id": f"urn:{SUBPROTOCOL.replace('.', ':')}:{name}", **schema}


def _payload(model: type[WireModel]) -> Schema:
    return cast("Schema", _completed(model.model_json_schema()))


def _completed(part: object) -> object:
    if isinstance(part, list):
        return [_completed(item) for item in cast("list[object]", part)]
    if not isinstance(part, dict):
        return part
    schema = cast("Schema", part)
    kept = {
        name: _first_line(value) if name == "description" else _completed(value)
        for name, value in schema.items()
        # A title is only the name once more; a property may be called so, and is no text.
        if not (name == "title" and isinstance(value, str))
    }
    if kept.get("type") == "string" and not {"enum", "const"} & kept.keys():
        form = str(kept.get("format", ""))
        kept |= _FORMATS.get(form, {"pattern": _ONE_LINE})
    return kept


def _first_line(text: object) -> object:
    return text.partition("\n")[0] if isinstance(text, str) else _completed(text)


def _messages() -> Schema:
    call_id = {"type": "string", "minLength": 1, "maxLength": CALL_ID_CHARACTERS_MAX}
    caller_id = {**call_id, "not": {"const": "-1"}}
    text, payload = {"type": "string"}, {"type": "object"}
    actions = {"enum": sorted({**AGENT_CALLS, **BRIDGE_CALLS})}
    return {
        "description": "A text message: a call, its result, or its failure.",
        "oneOf": [
            _array({"const": 2}, caller_id, actions, payload),
            _array({"const": 3}, caller_id, payload),
            _array({"const": 4}, call_id, {"enum": sorted(WIRE_CODES)}, text, payload),
        ],
    }


def _array(*items: Schema) -> Schema:
    return {
        "type": "array",
        "prefixItems": list(items),
        "minItems": len(items),
        "maxItems": len(items),
        "items": False,
    }
