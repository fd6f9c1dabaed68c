"""What the message with a one-time code says: the code first, and what it would do."""

from collections.abc import Mapping
from typing import Final

from parking.drivers.purposes import CodePurpose

_ENGLISH: Final[Mapping[CodePurpose, str]] = {
    CodePurpose.SIGN_IN: "{code} is your Sesame code. Nobody from Sesame will ask you for it.",
    CodePurpose.PASSWORD_FREE: "{code} lets Sesame charge you without a password. Tell nobody.",
    CodePurpose.END_SIGN_INS: "{code} signs out your other Sesame devices. Tell nobody.",
    CodePurpose.EXPORT_ACCOUNT: "{code} gives out all of your Sesame data. Tell nobody.",
    CodePurpose.CHANGE_PHONE_NUMBER: "{code} changes your Sesame phone number. Tell nobody.",
    CodePurpose.DELETE_ACCOUNT: "{code} deletes your Sesame account. Tell nobody.",
    CodePurpose.NEW_PHONE_NUMBER: "{code} makes this number your Sesame number. Tell nobody.",
}
_GERMAN: Final[Mapping[CodePurpose, str]] = {
    CodePurpose.PASSWORD_FREE: "{code} erlaubt Sesame Abbuchungen ohne Passwort. Niemandem nennen.",
    CodePurpose.END_SIGN_INS: "{code} meldet Ihre anderen Geräte bei Sesame ab. Niemandem nennen.",
    CodePurpose.EXPORT_ACCOUNT: "{code} gibt alle Ihre Sesame-Daten heraus. Niemandem nennen.",
    CodePurpose.CHANGE_PHONE_NUMBER: "{code} ändert Ihre Nummer bei Sesame. Niemandem nennen.",
    CodePurpose.DELETE_ACCOUNT: "{code} löscht Ihr Sesame-Konto. Niemandem nennen.",
    CodePurpose.NEW_PHONE_NUMBER: "{code} macht dies zu Ihrer Sesame-Nummer. Niemandem nennen.",
}
_CHINESE: Final[Mapping[CodePurpose, str]] = {
    CodePurpose.PASSWORD_FREE: "{code} 用于开通 Sesame 免密支付。请勿告知他人。",
    CodePurpose.END_SIGN_INS: "{code} 用于退出您在其他设备上的 Sesame 登录。请勿告知他人。",
    CodePurpose.EXPORT_ACCOUNT: "{code} 用于导出您的全部 Sesame 数据。请勿告知他人。",
    CodePurpose.CHANGE_PHONE_NUMBER: "{code} 用于更换您的 Sesame 手机号。请勿告知他人。",
    CodePurpose.DELETE_ACCOUNT: "{code} 用于注销您的 Sesame 账户。请勿告知他人。",
    CodePurpose.NEW_PHONE_NUMBER: "{code} 用于将本号码绑定到 Sesame。请勿告知他人。",
}
_TEXTS: Final = {"de": _GERMAN, "zh": _CHINESE}


_CHANGED: Final = {
    "de": "Ihre Sesame-Nummer wurde geändert. Waren Sie das nicht, rufen Sie uns an.",
    "en": "Your Sesame phone number was changed. If it was not you, call us.",
    "zh": "您的 Sesame 手机号已更换。如非本人操作请立即联系我们。",
}


def number_changed_text(locale: str) -> str:
    """Return what the former number is told."""
    return _CHANGED.get(locale.partition("-")[0], _CHANGED["en"])


def code_text(code: str, purpose: CodePurpose, locale: str) -> str:
    """Return the message in the language of a locale; English where there is none."""
    texts = _TEXTS.get(locale.partition("-")[0], _ENGLISH)
    return texts.get(purpose, _ENGLISH[purpose]).format(code=code)
