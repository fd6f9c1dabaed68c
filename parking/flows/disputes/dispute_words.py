"""What a driver is told where no person wrote the words."""

from typing import Final

from parking.disputes.models import Opener

# Kept with the dispute in the driver's language of that moment; pushes have texts of their own.
_REFUNDED: Final = {
    Opener.DRIVER: {
        "en": "The pictures do not prove well enough that it was your car. You pay nothing for "
        "this stay; what was charged is on its way back.",
        "zh": "现有影像不足以证明该车辆属于您。本次停车费用已全部免除，已扣款项将原路退回。",  # noqa: RUF001
        "de": "Die Bilder belegen nicht sicher genug, dass es Ihr Fahrzeug war. Der Aufenthalt "
        "kostet Sie nichts; was abgebucht wurde, ist auf dem Rückweg.",
    },
    Opener.SYSTEM: {
        "en": "Another car was probably taken for yours at the exit. You pay nothing for this "
        "stay; what was charged is on its way back.",
        "zh": "出口处可能将另一辆车误认为您的车辆。本次停车费用已全部免除，已扣款项将原路退回。",  # noqa: RUF001
        "de": "An der Ausfahrt wurde vermutlich ein anderes Fahrzeug für Ihres gehalten. Der "
        "Aufenthalt kostet Sie nichts; was abgebucht wurde, ist auf dem Rückweg.",
    },
}


def refunded(opened_by: Opener, locale: str | None) -> str:
    """Return why a stay was refunded without a person, in the driver's language or in English."""
    language = (locale or "en").replace("_", "-").partition("-")[0].lower()
    texts = _REFUNDED[opened_by]
    return texts.get(language, texts["en"])
