"""Which way a car drives, from what cameras write of it."""

from typing import Final

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.port import DeviceSettings, Heading
from parking.kit.errors import InvalidInputError

FULL_TURN: Final = 360.0
TOLERANCE_DEGREES: Final = 60.0
WORDS_MAX: Final = 32
# An installer's choice of a heading in place of a maker's word.
DEGREE_OPTIONS: Final = ("towards_degrees", "tolerance_degrees")
WORD_OPTIONS: Final = ("assumed_confidence", "headings")


def check_camera(settings: DeviceSettings, *more: str) -> DeviceOptions:
    """Return a camera's options; those that cameras have in common were looked through.

    Args:
        settings: Of the camera.
        more: The names of its maker's own options, which are still to be looked through.

    Raises:
        InvalidInputError: naming the option.
    """
    options = DeviceOptions(settings.options)
    options.only(*WORD_OPTIONS, *more)
    options.assumed_confidence()
    heading_words(options)
    return options


def check_degrees(settings: DeviceSettings) -> None:
    """Look through the options of a camera that writes angles, and has no others.

    Raises:
        InvalidInputError: naming the option.
    """
    options = DeviceOptions(settings.options)
    options.only(*DEGREE_OPTIONS)
    heading_of_degrees(0, options)


def heading_of_degrees(degrees: float | None, options: DeviceOptions) -> Heading:
    """Return the heading of a car that moves through the picture by an angle.

    What the angle counts from depends on the maker and on how the camera hangs, so that the
    installer says at which angle cars come towards it: `towards_degrees`. Without it no angle
    says anything.
    """
    towards = options.number("towards_degrees", 0, FULL_TURN)
    tolerance = options.number("tolerance_degrees", 1, FULL_TURN / 4) or TOLERANCE_DEGREES
    if towards is None or degrees is None:
        return Heading.UNKNOWN
    apart = abs((degrees - towards + FULL_TURN / 2) % FULL_TURN - FULL_TURN / 2)
    if apart <= tolerance:
        return Heading.TOWARDS
    return Heading.AWAY if apart >= FULL_TURN / 2 - tolerance else Heading.UNKNOWN


def heading_words(options: DeviceOptions, name: str = "headings") -> dict[str, Heading]:
    """Return an installer's table of a camera's words, in lower case.

    Raises:
        InvalidInputError: a value is no heading; names the word.
    """
    words: dict[str, Heading] = {}
    for word, value in options.table(name, WORDS_MAX).items():
        try:
            words[word.strip().lower()] = Heading(str(value))
        except ValueError:
            expected = f"one of {', '.join(Heading)}"
            raise InvalidInputError(f"options.{name}.{word}", expected) from None
    return words
