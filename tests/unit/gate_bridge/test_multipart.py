import base64
import contextlib
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gate_bridge.drivers.multipart import (
    BODY_BYTES_MAX,
    PARTS_MAX,
    Part,
    header_value,
    read_parts,
)
from parking.kit.errors import InvalidInputError

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 3 + b"\r\n--not\n--x\r\r\n\n\xff\xd9"
XML = b"<EventNotificationAlert><ANPR/></EventNotificationAlert>"
FORM = "multipart/form-data; boundary=bnd"
HEAD = b'Content-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: %s\r\n'


def body(*parts: bytes, boundary: bytes = b"bnd", end: bytes = b"--bnd--\r\n") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + end


def contents(raw: bytes, content_type: str = FORM) -> list[bytes]:
    return [part.content for part in read_parts(raw, content_type)]


USUAL = body(
    HEAD % (b"anpr", b"anpr.xml", b"text/xml") + b"\r\n" + XML,
    HEAD % (b"picture", b"licensePlatePicture.jpg", b"image/jpeg") + b"\r\n" + JPEG,
)


def test_a_usual_body() -> None:
    assert [
        (part.name, part.filename, part.content_type, part.content)
        for part in read_parts(USUAL, FORM)
    ] == [
        ("anpr", "anpr.xml", "text/xml", XML),
        ("picture", "licensePlatePicture.jpg", "image/jpeg", JPEG),
    ]


QUIRKS: dict[str, tuple[bytes, str]] = {
    "a picture without a file name": (
        body(b"Content-Type: text/xml\r\n\r\n" + XML, b"Content-Type: image/jpeg\r\n\r\n" + JPEG),
        FORM,
    ),
    "no name": (
        body(
            b"Content-Disposition: form-data\r\n\r\n" + XML,
            b'Content-Disposition: form-data; filename="a.jpg"\r\n\r\n' + JPEG,
        ),
        FORM,
    ),
    "no headers": (body(b"\r\n" + XML, b"\r\n" + JPEG), FORM),
    "no headers and no empty line": (body(XML, b"\r\n" + JPEG), FORM),
    "headers without the empty line": (
        body(b"Content-Type: text/xml\r\n" + XML, b"Content-Type: image/jpeg\r\n" + JPEG),
        FORM,
    ),
    "no closing boundary": (USUAL.removesuffix(b"--bnd--\r\n"), FORM),
    "no end at all": (USUAL.removesuffix(b"\r\n--bnd--\r\n"), FORM),
    "mixed": (USUAL, "multipart/mixed; boundary=bnd"),
    "x-mixed-replace": (USUAL, "multipart/x-mixed-replace;boundary=bnd"),
    "a quoted boundary": (USUAL, 'multipart/form-data; boundary="bnd"'),
    "a semicolon behind": (USUAL, "multipart/form-data; boundary=bnd;"),
    "a parameter before and behind": (
        USUAL,
        "Multipart/Form-Data; x; BOUNDARY=bnd ; y=z",
    ),
    "dashes counted as the boundary's": (USUAL, "multipart/form-data; boundary=--bnd"),
    "dashes counted as the boundary's, far behind": (
        b"-- \n" * 2000 + USUAL,
        "multipart/form-data; boundary=--bnd",
    ),
    "no boundary in the header": (USUAL, "multipart/form-data"),
    "another boundary in the header": (USUAL, "multipart/form-data; boundary=other"),
    "no header": (USUAL, ""),
    "another type in the header": (USUAL, "application/octet-stream"),
    "a preamble": (b"This is MIME.\r\n\r\n" + USUAL, FORM),
    "a preamble and no boundary in the header": (b"\r\nMIME\r\n" + USUAL, "multipart/mixed"),
    "an epilogue": (USUAL + b"behind\r\n--bnd\r\nmore", FORM),
    "blanks behind the boundary": (USUAL.replace(b"--bnd\r", b"--bnd \t\r"), FORM),
    "wrong lengths": (
        USUAL.replace(b"Content-Type", b"Content-Length: 3\r\nContent-Type"),
        FORM,
    ),
    "no line end before the boundary": (USUAL.replace(b"\xff\xd9\r\n--", b"\xff\xd9--"), FORM),
    "a line that goes on": (
        USUAL.replace(b'; filename="anpr.xml"', b';\r\n filename="anpr.xml"'),
        FORM,
    ),
    "base64": (
        body(
            b"Content-Transfer-Encoding: BASE64\r\n\r\n" + base64.encodebytes(XML),
            b"Content-Transfer-Encoding: base64\r\n\r\n" + JPEG,
        ),
        FORM,
    ),
    "one inside the other": (
        body(
            b"Content-Type: multipart/mixed; boundary=in\r\n\r\n"
            + body(b"\r\n" + XML, b"\r\n" + JPEG, boundary=b"in", end=b"--in--")
        ),
        FORM,
    ),
}


@pytest.mark.parametrize(("raw", "content_type"), QUIRKS.values(), ids=QUIRKS)
def test_every_quirk_gives_the_same_contents(raw: bytes, content_type: str) -> None:
    assert contents(raw, content_type) == [XML, JPEG]


@pytest.mark.parametrize("content_type", [FORM, "multipart/mixed", ""])
def test_lines_that_end_with_a_line_feed_alone(content_type: str) -> None:
    raw = b"--bnd\nContent-Type: text/xml\n\n" + XML + b"\n--bnd\n\n" + JPEG + b"\r\n--bnd--\n"
    # The carriage return before the last boundary is the picture's: no other line has one.
    assert contents(raw, content_type) == [XML, JPEG + b"\r"]


def test_only_the_boundary_has_a_carriage_return() -> None:
    raw = b"--bnd\r\nContent-Type: text/xml\n\n" + XML + b"\n--bnd--"
    assert contents(raw) == [XML]


@pytest.mark.parametrize("content_type", [FORM, "multipart/mixed", "application/xml", "", "?;;="])
def test_a_bare_document_is_one_part(content_type: str) -> None:
    (part,) = read_parts(XML, content_type)
    assert (part.name, part.filename, part.content) == ("", "", XML)


def test_a_text_that_begins_with_dashes_later_is_not_taken_apart() -> None:
    raw = b'{"text": "\n--line\nmore"}'
    assert contents(raw, "application/json") == [raw]


def test_a_part_of_several_megabytes() -> None:
    picture = b"\xff\xd8\xff" + b"\r\n--bn\r\n-" * 400_000 + b"\xff\xd9"
    assert contents(body(b"\r\n" + XML, b"\r\n" + picture)) == [XML, picture]


def test_names_in_every_form() -> None:
    assert header_value("form-data; name=a b; filename*=UTF-8''x%20y;n") == (
        "form-data",
        {"name": "a b", "filename*": "UTF-8''x%20y"},
    )
    (part,) = read_parts(body(b"Content-Disposition: form-data; filename*=UTF-8''x%20y\r\n\r\n1"))
    assert part.filename == "x y"


LIMITS: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", FORM, "something in it"),
    "blank": (b" \r\n", FORM, "something in it"),
    "no parts": (b"--bnd--\r\n", FORM, "something in it"),
    "parts": (body(*[b"\r\nx"] * (PARTS_MAX + 1)), FORM, f"at most {PARTS_MAX} parts"),
    "bytes": (bytes(BODY_BYTES_MAX + 1), FORM, f"at most {BODY_BYTES_MAX} bytes"),
    "boundary": (USUAL, f"multipart/mixed; boundary={'b' * 129}", "at most 128 characters"),
    "header bytes": (body(b"a: b\r\n" * 2000), FORM, "headers of at most 8192 bytes"),
    "one header": (body(b"a: " + b"b" * 9000 + b"\r\n\r\n"), FORM, "headers of at most 8192 bytes"),
    "headers": (body(b"".join(b"a%d:b\r\n" % n for n in range(34))), FORM, "headers of at most"),
    "parts inside parts": (
        body(
            *[
                b"Content-Type: multipart/mixed; boundary=in\r\n\r\n"
                + body(*[b"\r\nx"] * 20, boundary=b"in", end=b"--in--")
            ]
            * 20
        ),
        FORM,
        f"at most {PARTS_MAX} parts",
    ),
}


@pytest.mark.parametrize(("raw", "content_type", "expected"), LIMITS.values(), ids=LIMITS)
def test_limits(raw: bytes, content_type: str, expected: str) -> None:
    with pytest.raises(InvalidInputError, match=expected):
        read_parts(raw, content_type)


LONG = 4 * 1024 * 1024
HOSTILE: dict[str, tuple[bytes, str]] = {
    "dashes": (b"-" * LONG, "multipart/mixed; boundary=-"),
    "almost delimiters": (b"x--a\n" * (LONG // 5), "multipart/mixed; boundary=a"),
    "almost delimiters with blanks": (
        (b"--a" + b" " * 200) * (LONG // 203),
        "multipart/mixed; boundary=a",
    ),
    "many lines that look like one": (
        b"".join(b"--%d\r" % n for n in range(900)) + b"x" * LONG,
        "multipart/mixed",
    ),
    "a header's semicolons": (b"--a\n\nx", "multipart/mixed" + ";" * 100_000),
    "line feeds": (b"\n" * LONG, "multipart/mixed; boundary=a"),
}


@pytest.mark.parametrize(("raw", "content_type"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_takes_time_in_proportion_to_its_length(
    raw: bytes, content_type: str
) -> None:
    started_s = time.process_time()
    with contextlib.suppress(InvalidInputError):
        read_parts(raw, content_type)
    # Of this process alone. Some tenths are usual; squared they would be hours.
    assert time.process_time() - started_s < 10


NAMES = st.text(st.characters(codec="utf-8", exclude_characters='"\r\n', exclude_categories=["C"]))


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, str, list[tuple[str, str, bytes]]]:
    boundary = draw(st.from_regex(r"[A-Za-z0-9'()+_,./:=?-]{1,70}", fullmatch=True))
    parts = draw(st.lists(st.tuples(NAMES, NAMES, st.binary(max_size=200)), min_size=1, max_size=5))
    assume(all(b"--" + boundary.encode() not in content for *_, content in parts))
    raw = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n\r\n%b\r\n'
        % (boundary.encode(), name.encode(), filename.encode(), content)
        for name, filename, content in parts
    )
    return raw + b"--" + boundary.encode() + b"--\r\n", boundary, parts


@given(messages())
def test_every_well_formed_message_is_read_exactly(
    message: tuple[bytes, str, list[tuple[str, str, bytes]]],
) -> None:
    raw, boundary, parts = message
    headers = [f'multipart/form-data; boundary="{boundary}"']
    if boundary.strip("-"):  # A line of dashes alone could be anything where no header names it.
        headers.append("multipart/mixed")
    for content_type in headers:
        read = read_parts(raw, content_type)
        assert [(part.name, part.filename, part.content) for part in read] == parts


PIECES = b'--b|--|\r\n|\n|\r| |:|--c|x|\x00|\xff|"|;|=|content-disposition: a; filename='.split(
    b"|"
)
NESTED = b"Content-Type: multipart/x;boundary=c\r\n"


@given(
    st.binary(max_size=400)
    | st.lists(
        st.sampled_from([*PIECES, NESTED]),
        max_size=40,
    ).map(b"".join),
    st.sampled_from(["", "multipart/mixed; boundary=b", "multipart/mixed", "text/xml"]) | st.text(),
)
def test_garbage_is_read_or_refused_and_nothing_else(raw: bytes, content_type: str) -> None:
    parts: tuple[Part, ...] = ()
    with contextlib.suppress(InvalidInputError):
        parts = read_parts(raw, content_type)
    assert sum(len(part.content) for part in parts) <= len(raw)
