"""Multipart bodies as cameras send them, which is seldom as the standards say.

RFC 2046 and 7578 say how such a body looks. Devices leave out file names, names, line feeds'
carriage returns, the closing boundary or the header that names the boundary, and state lengths
that are wrong; none of this may cost a car its entry.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from parking.kit.errors import InvalidInputError

BODY_BYTES_MAX: Final = 16 * 1024 * 1024
PARTS_MAX: Final = 32
HEADER_BYTES_MAX: Final = 8 * 1024  # Of one part, all of its headers together.
HEADERS_MAX: Final = 32
VALUE_CHARACTERS_MAX: Final = 4 * 1024  # Of one header; what comes behind is not looked at.
PREAMBLE_BYTES_MAX: Final = 4 * 1024  # In which a boundary that no header names is looked for.
BOUNDARY_CHARACTERS_MAX: Final = 128  # RFC 2046 allows 70.
NESTED_MAX: Final = 2
_BLANKS: Final = b" \t"
_MULTIPART: Final = "multipart/"
_CONTENT_HEADER: Final = b"content-"
_LINE_FEED: Final = ord("\n")
# Behind the boundary: whether it is the last one, blanks, and the line's end.
_LINE_REST: Final = rb"(--)?[ \t]{0,128}(\r?\n|\Z)"
_VISIBLE_MAX: Final = 4
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body.

    Attributes:
        headers: Names in lower case; of several with one name, the last.
        name: Of the form's field; empty where the device gives none.
        filename: Empty where the device gives none.
        content_type: As stated, in lower case and without parameters; empty where none is.
    """

    headers: Mapping[str, str]
    name: str
    filename: str
    content_type: str
    content: bytes = field(repr=False)


def read_parts(body: bytes, content_type: str = "") -> tuple[Part, ...]:
    """Return the parts of a body, those of a part that is multipart itself in its place.

    A body that is not multipart at all is one part without a name. The boundary is that of
    `content_type`; where the body does not have it, the one that the body visibly begins with.
    Lengths that parts state are not believed. Takes time in proportion to the body.

    Raises:
        InvalidInputError: a limit is exceeded, or nothing is in it.
    """
    if len(body) > BODY_BYTES_MAX:
        raise InvalidInputError("body", f"at most {BODY_BYTES_MAX} bytes")
    parts = tuple(_parts(body, content_type, NESTED_MAX))
    if not parts:
        raise InvalidInputError("body", "something in it")
    return parts


def _parts(body: bytes, content_type: str, nested_max: int) -> Iterator[Part]:
    kind, parameters = header_value(content_type)
    delimiter = _delimiter(body, kind, parameters.get("boundary", ""))
    if delimiter is None:
        if body.strip():
            yield Part(_NO_HEADERS, "", "", kind, body)
        return
    count = 0
    for block in _blocks(body, delimiter):
        for part in _flat(_part(block), nested_max):
            count += 1
            if count > PARTS_MAX:
                raise InvalidInputError("body", f"at most {PARTS_MAX} parts")
            yield part


def _flat(part: Part, nested_max: int) -> Iterator[Part]:
    if nested_max > 1 and part.content_type.startswith(_MULTIPART):
        return _parts(part.content, part.headers["content-type"], nested_max - 1)
    return iter((part,))


def header_value(value: str) -> tuple[str, Mapping[str, str]]:
    """Return a header's value in lower case and its parameters, names in lower case.

    Quoted or not, with or without a `;` at the end; a parameter without `=` is left out.
    """
    first, _, rest = value[:VALUE_CHARACTERS_MAX].partition(";")
    parameters: dict[str, str] = {}
    while rest:
        name, _, rest = rest.partition("=") if _equals_first(rest) else ("", "", rest)
        rest = rest.lstrip()
        if name and rest.startswith('"'):
            text, _, rest = rest[1:].partition('"')
            rest = rest.partition(";")[2]
        else:
            text, _, rest = rest.partition(";")
            text = text.rstrip()
        if name:
            parameters[name.strip().lower()] = text
    return first.strip().lower(), parameters


def _equals_first(rest: str) -> bool:
    equals, semicolon = rest.find("="), rest.find(";")
    return equals >= 0 and (semicolon < 0 or equals < semicolon)


def _delimiter(body: bytes, kind: str, boundary: str) -> re.Pattern[bytes] | None:
    if len(boundary) > BOUNDARY_CHARACTERS_MAX:
        raise InvalidInputError("boundary", f"at most {BOUNDARY_CHARACTERS_MAX} characters")
    named = boundary.encode("utf-8", "replace")
    candidates = _visible(body, is_announced=kind.startswith(_MULTIPART))
    if named:
        # Some devices count the two dashes before the boundary as its own.
        candidates = [b"--" + named, named, *candidates]
    for candidate in candidates:
        if candidate.startswith(b"--"):
            pattern = re.compile(re.escape(candidate) + _LINE_REST)
            if _next(body, pattern, 0) is not None:
                return pattern
    return None


def _visible(body: bytes, *, is_announced: bool) -> list[bytes]:
    """Return the lines near the body's beginning that look like a delimiter."""
    # Where nothing announces parts, only the very first line can tell: a text may well contain
    # a line that begins with dashes.
    start = body[:PREAMBLE_BYTES_MAX]
    lines = start.split(b"\n") if is_announced else start.lstrip().split(b"\n")[:1]
    found = [line.rstrip(b" \t\r") for line in lines if line.startswith(b"--")]
    fitting = [line for line in found if line.strip(b"-") and len(line) <= BOUNDARY_CHARACTERS_MAX]
    return fitting[:_VISIBLE_MAX]


@dataclass(frozen=True, slots=True)
class _Found:
    """A delimiter line: where it begins, where what follows begins, and what it says."""

    start: int
    end: int
    is_last: bool
    has_return: bool


def _next(body: bytes, delimiter: re.Pattern[bytes], at: int) -> _Found | None:
    while (match := delimiter.search(body, at)) is not None:
        start, end = match.span()
        is_last = match[1] is not None
        if is_last or start == 0 or body[start - 1] == _LINE_FEED or _is_header(body, end):
            return _Found(start, end, is_last, match[2] == b"\r\n")
        at = end
    return None


def _is_header(body: bytes, at: int) -> bool:
    # A delimiter right behind a picture, without a line of its own, is one if a header follows.
    return body[at : at + len(_CONTENT_HEADER)].lower() == _CONTENT_HEADER


def _blocks(body: bytes, delimiter: re.Pattern[bytes]) -> Iterator[bytes]:
    here = _next(body, delimiter, 0)
    while here is not None and not here.is_last:
        following = _next(body, delimiter, here.end)
        end = len(body) if following is None else following.start
        block = body[here.end : max(here.end, end)]
        yield _without_line_end(block, has_returns=here.has_return)
        here = following


def _without_line_end(block: bytes, *, has_returns: bool) -> bytes:
    # The line end before a delimiter belongs to the delimiter. Where lines end with a line feed
    # alone, a carriage return before it is the content's.
    if has_returns and block.endswith(b"\r\n"):
        return block[:-2]
    return block.removesuffix(b"\n")


def _part(block: bytes) -> Part:
    headers, content = _split(block)
    content_type, _ = header_value(headers.get("content-type", ""))
    _, disposition = header_value(headers.get("content-disposition", ""))
    # RFC 8187: the character set, the language, then the name itself.
    coded = unquote(disposition.get("filename*", "").rpartition("'")[2])
    filename = disposition.get("filename", "") or coded
    if headers.get("content-transfer-encoding", "").lower() == "base64":
        content = _decoded(content)
    return Part(headers, disposition.get("name", ""), filename, content_type, content)


def _decoded(content: bytes) -> bytes:
    """Return what base64 holds; the content itself where it is none, whatever its header says."""
    text = content.translate(None, b" \t\r\n")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return content


def _split(block: bytes) -> tuple[Mapping[str, str], bytes]:
    """Return a part's headers and what comes after the empty line that ends them.

    A line that can be no header ends them as well: the device left the empty line out.
    """
    headers: dict[str, str] = {}
    at, last = 0, ""
    while at < len(block):
        end = block.find(b"\n", at, at + HEADER_BYTES_MAX)
        stop = min(len(block), at + HEADER_BYTES_MAX) if end < 0 else end
        line = block[at:stop].rstrip(b"\r")
        if not line:
            return headers, block[stop + 1 :]
        name = _header_name(line)
        if line[:1] in (b" ", b"\t") and last:
            headers[last] += " " + line.strip().decode("utf-8", "replace")
        elif name is None:
            return headers, block[at:]
        else:
            last = name
            headers[name] = line.partition(b":")[2].strip().decode("utf-8", "replace")
        at = stop + 1
        if at > HEADER_BYTES_MAX or len(headers) > HEADERS_MAX:
            raise InvalidInputError("part", f"headers of at most {HEADER_BYTES_MAX} bytes")
    return headers, b""


def _header_name(line: bytes) -> str | None:
    name, colon, _ = line.partition(b":")
    text = name.rstrip(_BLANKS)
    is_token = text.replace(b"-", b"").replace(b"_", b"").isalnum()
    return text.decode("ascii").lower() if colon and is_token else None
