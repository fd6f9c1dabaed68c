"""What a driver allows, in words: the text that is shown is the text that is confirmed."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Self
from uuid import UUID

from parking.kit.crypto import Vault, same_digest
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money

LOCALES: Final = ("en", "zh", "de")
DIGEST_LENGTH_MAX: Final = 64
_KIND: Final = "mandate_terms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a permission may take at most; None for the provider's own limits.

    Attributes:
        currency: Of both; with it, nothing is charged in another one. None without limits.
    """

    charge_minor_max: int | None = None
    day_minor_max: int | None = None
    currency: str | None = None

    @classmethod
    def of(cls, charge_max: Money | None, day_max: Money | None) -> Self:
        """Return the limits that a driver gives.

        Raises:
            InvalidInputError: one is not positive, the day's is the smaller, or their currencies
                differ.
        """
        for field, given in (("amountMax", charge_max), ("dayMax", day_max)):
            if given is not None and given.amount_minor <= 0:
                raise InvalidInputError(field, "more than nothing")
        if charge_max is not None and day_max is not None:
            if charge_max.currency != day_max.currency:
                raise InvalidInputError("dayMax", f"an amount in {charge_max.currency}")
            if day_max < charge_max:
                raise InvalidInputError("dayMax", "at least as much as one charge may take")
        given = charge_max or day_max
        return cls(
            charge_minor_max=None if charge_max is None else charge_max.amount_minor,
            day_minor_max=None if day_max is None else day_max.amount_minor,
            currency=None if given is None else given.currency,
        )

    def widens(self, before: "Limits") -> bool:
        """Return whether anything may be charged under these that could not under `before`."""
        return (
            before.currency not in {None, self.currency}
            or _is_more(self.charge_minor_max, before.charge_minor_max)
            or _is_more(self.day_minor_max, before.day_minor_max)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one revision of a mandate allows.

    Attributes:
        plate: In clear, for its driver; None for every plate of theirs.
    """

    mandate_id: UUID
    revision: int
    provider: str
    limits: Limits
    plate: str | None = None

    def title(self, locale: str) -> str:
        """Return what stands above the text."""
        texts = texts_of(locale)
        return str(texts["title"]).format(provider=_provider(texts, self.provider))

    def sentences(self, locale: str) -> tuple[str, ...]:
        """Return the text, a sentence each.

        Raises:
            InvalidInputError: nobody translated it to `locale`.
        """
        texts = texts_of(locale)
        values = {"provider": _provider(texts, self.provider), "plate": self.plate or ""}
        limits = self.limits
        parts = [
            ("any_car" if self.plate is None else "one_car", None),
            _limit("charge_max", limits.charge_minor_max, limits.currency),
            _limit("day_max", limits.day_minor_max, limits.currency),
            ("shared", None),
            ("told", None),
            ("ending", None),
            ("both", None),
        ]
        return tuple(str(texts[key]).format(**values, amount=amount or "") for key, amount in parts)

    def digest(self, vault: Vault, locale: str) -> str:
        """Return what names exactly this text of this revision; keyed, for it may name a plate."""
        text = "\n".join((self.title(locale), *self.sentences(locale)))
        return vault.digest(_KIND, f"{self.mandate_id}|{self.revision}|{locale}|{text}").hex()

    def language_of(self, vault: Vault, digest: str) -> str | None:
        """Return in which language the text with this digest is; None for another text."""
        given = digest[: DIGEST_LENGTH_MAX + 1].encode()
        for locale in LOCALES:
            if same_digest(self.digest(vault, locale).encode(), given):
                return locale
        return None


@cache
def texts_of(locale: str) -> Mapping[str, Any]:
    """Return a language's sentences.

    Raises:
        InvalidInputError: there is no such language.
    """
    if locale not in LOCALES:
        raise InvalidInputError("locale", f"one of {', '.join(LOCALES)}")
    source = files("parking.payments").joinpath("texts", f"{locale}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


def _provider(texts: Mapping[str, Any], name: str) -> str:
    return str(texts["providers"].get(name, name))


def _limit(key: str, minor_max: int | None, currency: str | None) -> tuple[str, str | None]:
    if minor_max is None or currency is None:
        return f"no_{key}", None
    return key, Money(minor_max, currency).format()


def _is_more(limit: int | None, before: int | None) -> bool:
    return before is not None and (limit is None or limit > before)
