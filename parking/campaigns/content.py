"""What a campaign says: texts in each language, with names that are filled in and nothing else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from parking.campaigns.parts import Part

Language = Literal["en", "zh", "de"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh", "de")
# What a lock screen shows of a push before it cuts it off.
TITLE_LENGTH_MAX: Final = 65
BODY_LENGTH_MAX: Final = 240
VALUE_LENGTH_MAX: Final = 40
PLACEHOLDERS: Final = ("place", "operator", "visits")
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_BRACES: Final = re.compile(r"[{}]")
# Of the longest that can be filled in, so that no driver's text is cut off.
_LONGEST: Final[Mapping[str, str]] = {
    "place": "x" * VALUE_LENGTH_MAX,
    "operator": "x" * VALUE_LENGTH_MAX,
    "visits": "99999",
}
SAMPLE: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {"place": "Quay Car Park", "operator": "Blue Heron", "visits": "12"},
    "zh": {"place": "码头停车场", "operator": "蓝鹭停车", "visits": "12"},
    "de": {"place": "Parkhaus am Kai", "operator": "Blaureiher", "visits": "12"},
}


class Text(Part):
    """A message in one language; `{place}`, `{operator}` and `{visits}` are filled in."""

    title: Annotated[str, Field(min_length=1, max_length=TITLE_LENGTH_MAX)]
    body: Annotated[str, Field(min_length=1, max_length=BODY_LENGTH_MAX)]

    @model_validator(mode="after")
    def _require_fit(self) -> "Text":
        for name, text, most in (
            ("title", self.title, TITLE_LENGTH_MAX),
            ("body", self.body, BODY_LENGTH_MAX),
        ):
            _require_known(name, text)
            length = len(filled(text, _LONGEST))
            if length > most:
                raise ValueError(f"{name}: at most {most} characters filled in; now {length}")
        return self


class Content(Part):
    """What it says in each language; English is for whoever nobody translated for."""

    en: Text
    zh: Text | None = None
    de: Text | None = None

    def text(self, language: str) -> tuple[Text, Language]:
        """Return the text in a language, or the English one, and which it is."""
        found = {"zh": self.zh, "de": self.de}.get(language)
        if found is None:
            return self.en, "en"
        return found, "zh" if language == "zh" else "de"


@dataclass(frozen=True, slots=True)
class Written:
    """A text with everything filled in."""

    language: Language
    title: str
    body: str


def write(content: Content, language: str, values: Mapping[str, str]) -> Written:
    """Return the message for a driver of a language; what is not known is left out."""
    text, written = content.text(language)
    return Written(written, filled(text.title, values), filled(text.body, values))


def previews(content: Content) -> list[Written]:
    """Return every language that there is a text in, with sample values."""
    return [
        write(content, language, SAMPLE[language])
        for language in LANGUAGES
        if content.text(language)[1] == language
    ]


def filled(text: str, values: Mapping[str, str]) -> str:
    """Fill names in, once: what a value says is never read as a name."""

    def value(match: re.Match[str]) -> str:
        return values.get(match[1], "")[:VALUE_LENGTH_MAX]

    return _PLACEHOLDER.sub(value, text)


def _require_known(name: str, text: str) -> None:
    for found in _PLACEHOLDER.findall(text):
        if found not in PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise ValueError(f"{name}: only {known} are filled in")
    if _BRACES.search(_PLACEHOLDER.sub("", text)):
        raise ValueError(f"{name}: every brace around a name")
    lines = text.replace("\n", "") if name == "body" else text
    if not lines.isprintable() or not text.strip():
        raise ValueError(f"{name}: printable characters")
