"""A display that takes its text by one HTTP request, in whatever form its maker wants it."""

from dataclasses import dataclass
from typing import Final

from gate_bridge.agent.displays.display import DisplayError, Shown
from gate_bridge.agent.displays.template import CONTENT_TYPES, BodyForm, DisplayTemplate
from gate_bridge.agent.errors import BarrierError
from gate_bridge.agent.machines.device_http import DeviceAddress, DeviceCall, DeviceConnection
from gate_bridge.drivers.device_options import DeviceOptions

METHODS: Final = ("POST", "PUT", "GET")
ENCODINGS: Final = ("utf-8", "gb18030", "big5", "shift_jis", "latin-1")
_PATH: Final = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayForm:
    """How one display is asked.

    Attributes:
        path: A template, too: for displays that take their text in the address.
        encoding: Of the body; what it has no character for becomes a question mark.
    """

    method: str
    path: DisplayTemplate
    body: DisplayTemplate
    form: BodyForm
    encoding: str = "utf-8"


class HttpDisplay:
    """One display."""

    def __init__(self, address: DeviceAddress, form: DisplayForm) -> None:
        self._address = address
        self._form = form

    async def show(self, shown: Shown) -> None:
        """Send the text.

        Raises:
            DisplayError: the display did not take it, or nobody knows.
        """
        connection = DeviceConnection(self._address)
        try:
            await connection.ask(self._call(shown))
        except BarrierError as error:
            raise DisplayError(f"display: {error}") from error
        finally:
            await connection.close()

    def _call(self, shown: Shown) -> DeviceCall:
        form = self._form
        return DeviceCall(
            method=form.method,
            path=form.path.filled(shown),
            body=form.body.filled(shown).encode(form.encoding, errors="replace"),
            content_type=CONTENT_TYPES[form.form],
        )


def http_display(address: DeviceAddress, options: DeviceOptions, where: str) -> HttpDisplay:
    """Return the display that a site file describes.

    Raises:
        InvalidInputError: naming the option.
    """
    options.only("method", "path", "body", "form", "encoding")
    form = BodyForm(options.choice("form", tuple(BodyForm), BodyForm.JSON))
    encoding = options.choice("encoding", ENCODINGS, ENCODINGS[0])
    path = options.text("path", _PATH)
    return HttpDisplay(
        address,
        DisplayForm(
            method=options.choice("method", METHODS, METHODS[0]),
            path=DisplayTemplate(path, BodyForm.FORM, f"{where}.path", encoding),
            body=DisplayTemplate(options.text("body"), form, f"{where}.body", encoding),
            form=form,
            encoding=encoding,
        ),
    )
