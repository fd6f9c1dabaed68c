"""The JSON of a webhook, whether it is the body, a form's field, or a part beside pictures."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from gate_bridge.drivers.device_pictures import PICTURES_MAX, picture
from gate_bridge.drivers.json_body import JsonPart, decode_json
from gate_bridge.drivers.multipart import Part, read_parts
from gate_bridge.drivers.port import DeviceMessage, DevicePicture
from parking.kit.errors import InvalidInputError

FIELDS_MAX: Final = 64
_FORM: Final = "application/x-www-form-urlencoded"
_LEADING_NOISE: Final = b"\x00\xef\xbb\xbf \t\r\n"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A message, taken apart.

    Attributes:
        fields: Of a form, as they came; empty where the body is JSON itself.
    """

    fields: dict[str, bytes]
    body: bytes | None
    pictures: tuple[DevicePicture, ...]

    def json(self, name: str = "json") -> JsonPart:
        """Return the JSON: the body, or the form's field of that name.

        Raises:
            InvalidInputError: there is none, or it cannot be read; names it.
        """
        if self.body is not None:
            return decode_json(self.body)
        if name not in self.fields:
            raise InvalidInputError(name, "a form field with JSON")
        return decode_json(self.fields[name], name)

    def form(self) -> JsonPart:
        """Return a form's fields as an object of texts."""
        texts = {name: value.decode("utf-8", "replace") for name, value in self.fields.items()}
        return JsonPart(dict[str, object](texts))


def read_webhook(message: DeviceMessage) -> Webhook:
    """Take a message apart.

    Raises:
        InvalidInputError: it exceeds a limit, or nothing is in it.
    """
    content_type = message.headers.get("content-type", "")
    if message.body.lstrip(_LEADING_NOISE).startswith(b"{"):
        # Whatever the header says: some firmwares state a form and send JSON.
        return Webhook({}, message.body, ())
    if content_type.lower().startswith(_FORM):
        return Webhook(_form(message.body), None, ())
    parts = read_parts(message.body, content_type)
    fields = {part.name: part.content for part in parts if _is_field(part)}
    found = (picture(part.content, part.filename or part.name) for part in parts)
    pictures = tuple(each for each in found if each is not None)[:PICTURES_MAX]
    return Webhook(fields, None, pictures)


def _is_field(part: Part) -> bool:
    return bool(part.name) and picture(part.content) is None


def _form(body: bytes) -> dict[str, bytes]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise InvalidInputError("body", f"a form of at most {FIELDS_MAX} fields") from None
    return {name: value.encode() for name, value in pairs}
