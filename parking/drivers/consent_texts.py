"""The words that a driver agrees to; changed words get another version."""

from typing import Final

from parking.drivers.consent_models import ConsentKind

VERSIONS: Final = {ConsentKind.HABITS: "2026-11", ConsentKind.MARKETING: "2026-11"}
_ENGLISH: Final = {
    ConsentKind.HABITS: "Sesame may learn from my stays at which places I park on which days and "
    "at about what time, to remind me and to keep a space for me. I can see what it learned, and "
    "delete it or end this at any time; then it is deleted at once.",
    ConsentKind.MARKETING: "Sesame may send me offers of car parks and of shops near them. I can "
    "end this at any time.",
}
_GERMAN: Final = {
    ConsentKind.HABITS: "Sesame darf aus meinen Parkvorgängen lernen, wo, an welchen Tagen und "
    "ungefähr wann ich parke, um mich zu erinnern und mir einen Platz freizuhalten. Ich kann das "
    "Gelernte jederzeit einsehen und löschen und dies beenden; dann wird es sofort gelöscht.",
    ConsentKind.MARKETING: "Sesame darf mir Angebote von Parkhäusern und von Geschäften in deren "
    "Nähe schicken. Ich kann das jederzeit beenden.",
}
_CHINESE: Final = {
    ConsentKind.HABITS: "Sesame 可以根据我的停车记录了解我通常在哪些停车场、星期几、大约几点停车，"  # noqa: RUF001 - Chinese punctuation
    "用于提醒我和为我预留车位。我可以随时查看、删除这些信息或撤回同意；撤回后立即删除。",  # noqa: RUF001 - Chinese punctuation
    ConsentKind.MARKETING: "Sesame 可以向我发送停车场及周边商户的优惠信息。我可以随时撤回同意。",
}
_TEXTS: Final = {"de": _GERMAN, "zh": _CHINESE}


def consent_text(kind: ConsentKind, locale: str) -> str:
    """Return what is agreed to, in the language of a locale; English where there is none."""
    return _TEXTS.get(locale.partition("-")[0], _ENGLISH)[kind]
