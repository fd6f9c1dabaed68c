"""One text for one JSON value: the examples of RFC 8785, and what is refused."""

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.kit.canonical_json import DEPTH_MAX, canonical, fingerprint, read_strictly
from parking.kit.errors import InvalidInputError

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    # A larger whole float comes back as an integer that I-JSON does not hold.
    | st.floats(-(2.0**52), 2.0**52)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab€😂ﬀ"), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        # RFC 8785, appendix B.
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_the_rfc_writes_them(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(number) == text.encode()


def test_members_are_sorted_by_utf_16() -> None:
    # RFC 8785, 3.2.3: the emoji's surrogates come before U+FB33.
    value = {
        "€": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "😀": "Emoji: Grinning Face",
        "\x80": "Control",
        "ö": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical(value)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_the_text_holds_nothing_that_may_vary() -> None:
    value = {"b": [1, True, None, {"€": '\n"/\\\x0f'}], "a": 4.50, "": []}
    assert canonical(value).decode() == r'{"":[],"a":4.5,"b":[1,true,null,{"€":"\n\"/\\\u000f"}]}'
    assert fingerprint({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@given(values)
def test_the_text_says_the_value_and_only_it(value: object) -> None:
    text = canonical(value)
    assert read_strictly(text, field="value") == value
    assert canonical(json.loads(json.dumps(value))) == text


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [1, math.nan]}, "value.a[1]"),
        ({"a": math.inf}, "value.a"),
        (2**53, "value"),
        ({1: 2}, "value"),
        ({"a": {1}}, "value.a"),
        ("\ud800", "value"),
    ],
)
def test_what_json_cannot_say_exactly_is_refused(value: object, path: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        canonical(value)
    assert refused.value.field == path


def test_a_value_without_end_is_refused() -> None:
    nested: list[object] = []
    for _ in range(DEPTH_MAX + 1):
        nested = [nested]
    with pytest.raises(InvalidInputError, match="at most 50 levels"):
        canonical(nested)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a":1,"a":2}', "NaN", "[-Infinity]", b"\xff", "[" * 100_000]
)
def test_ambiguous_texts_are_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_strictly(text, field="receipt")
    assert refused.value.field == "receipt"
