"""Fills a display's own form with a text, so that no plate can break out of it."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape

import orjson

from gate_bridge.agent.displays.display import Shown
from gate_bridge.wire.limits import DISPLAY_LINES_MAX
from parking.kit.errors import InvalidInputError

TEMPLATE_CHARACTERS_MAX: Final = 4000
_FIELD = re.compile(r"\{([a-z_0-9]+)\}")


class BodyForm(StrEnum):
    """How a display wants its text."""

    JSON = "json"
    XML = "xml"
    FORM = "form"
    TEXT = "text"


CONTENT_TYPES: Final[Mapping[BodyForm, str]] = MappingProxyType(
    {
        BodyForm.JSON: "application/json",
        BodyForm.XML: "application/xml",
        BodyForm.FORM: "application/x-www-form-urlencoded",
        BodyForm.TEXT: "text/plain; charset=utf-8",
    }
)
FIELDS: Final = (
    *(f"line_{number}" for number in range(1, DISPLAY_LINES_MAX + 1)),
    "lines",
    "qr",
    "for_s",
    "for_ms",
)


def _in_json(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]


def _in_xml(text: str) -> str:
    return escape(text, {'"': "&quot;", "'": "&apos;"})


_ESCAPES: Final[Mapping[BodyForm, Callable[[str], str]]] = MappingProxyType(
    {
        BodyForm.JSON: _in_json,
        BodyForm.XML: _in_xml,
        BodyForm.TEXT: str,
    }
)


def _in_form(text: str, *, encoding: str) -> str:
    return quote(text, safe="", encoding=encoding, errors="replace")


class DisplayTemplate:
    """One form, such as `{"text": "{lines}", "code": "{qr}"}`.

    Braces around anything but a field's name stand for themselves.

    Args:
        where: What stands before the template's name in errors.
        encoding: Of what is written with percent signs.

    Raises:
        InvalidInputError: it is too long, or names a field that there is none of.
    """

    def __init__(self, template: str, form: BodyForm, where: str, encoding: str = "utf-8") -> None:
        if len(template) > TEMPLATE_CHARACTERS_MAX:
            raise InvalidInputError(where, f"at most {TEMPLATE_CHARACTERS_MAX} characters")
        for found in _FIELD.finditer(template):
            if found[1] not in FIELDS:
                raise InvalidInputError(where, f"one of {', '.join(FIELDS)} in braces")
        self._template = template
        self._escape = _ESCAPES.get(form) or partial(_in_form, encoding=encoding)

    def filled(self, shown: Shown) -> str:
        """Return the form with a text in it."""
        values = self._values(shown)
        return _FIELD.sub(lambda found: self._escape(values[found[1]]), self._template)

    @staticmethod
    def _values(shown: Shown) -> dict[str, str]:
        lines = [*shown.lines, *[""] * DISPLAY_LINES_MAX][:DISPLAY_LINES_MAX]
        values = {f"line_{number}": line for number, line in enumerate(lines, 1)}
        return values | {
            "lines": "\n".join(shown.lines),
            "qr": shown.qr,
            "for_s": str(round(shown.for_s)),
            "for_ms": str(round(shown.for_s * 1000)),
        }
