import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_bridge.drivers.xml import DEPTH_MAX, NODES_MAX, XML_BYTES_MAX, read_xml
from parking.kit.errors import InvalidInputError

LOLS = b"".join(
    b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 10)
)
BOMBS = {
    "a billion laughs": b'<!DOCTYPE l [<!ENTITY l0 "lol">' + LOLS + b"]><l>&l9;</l>",
    "quadratic": b'<!DOCTYPE l [<!ENTITY a "'
    + b"a" * 50_000
    + b'">]><l>'
    + b"&a;" * 9000
    + b"</l>",
    "in an attribute": b'<!DOCTYPE l [<!ENTITY l0 "lol">' + LOLS + b']><l a="&l9;"/>',
    "a file": b'<!DOCTYPE l [<!ENTITY f SYSTEM "file:///etc/hostname">]><l>&f;</l>',
    "a foreign definition": b'<!DOCTYPE l SYSTEM "http://127.0.0.1:1/l.dtd"><l/>',
    "a parameter": b'<!DOCTYPE l [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]><l/>',
    "a bare definition": b"<!DOCTYPE l><l/>",
    "in another encoding": '<!DOCTYPE l [<!ENTITY a "x">]><l>&a;</l>'.encode("utf-16"),
}
TOO_MUCH = {
    "levels": b"<a>" * (DEPTH_MAX + 1) + b"</a>" * (DEPTH_MAX + 1),
    "levels that never close": b"<a>" * 300_000,
    "nodes": b"<a>" + b"<b/>" * NODES_MAX + b"</a>",
    "attributes": b"<a " + b" ".join(b'a%d="1"' % at for at in range(65)) + b"/>",
    "bytes": b"<a>" + b"x" * XML_BYTES_MAX + b"</a>",
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS)
def test_a_document_type_is_refused_before_it_is_read(body: bytes) -> None:
    started_s = time.process_time()
    with pytest.raises(InvalidInputError) as refused:
        read_xml(body, "anpr.xml")
    assert str(refused.value) == "anpr.xml: expected XML without a document type"
    # Of this process alone, and far above what it takes: a bomb would need gigabytes.
    assert time.process_time() - started_s < 2


@pytest.mark.parametrize("body", TOO_MUCH.values(), ids=TOO_MUCH)
def test_limits(body: bytes) -> None:
    with pytest.raises(InvalidInputError, match="at most"):
        read_xml(body)


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00", b"text", b"<a>", b"<a/><b/>", b"<a>&b;</a>", b'<?xml encoding="n"?><a/>'],
)
def test_what_is_no_xml_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError, match="body: expected well-formed XML"):
        read_xml(body)


@pytest.mark.parametrize(
    "body",
    [
        b'<e xmlns="http://www.hikvision.com/ver20/XMLSchema"><p at="1"> \xe4\xba\xacA1 </p></e>',
        b'<ns1:e xmlns:ns1="urn:x"><ns1:p ns1:at="1">\xe4\xba\xacA1</ns1:p></ns1:e>',
        b'<ns1:e><ns1:p at="1">\xe4\xba\xacA1</ns1:p></ns1:e>',
        b'\r\n<?xml version="1.0"?>\n<e><p at="1"><![CDATA[\xe4\xba\xacA1]]></p></e>\x00',
        b'\xef\xbb\xbf<e><!-- c --><p at="1">\xe4\xba\xac<?pi?>A1</p></e>',
        '<?xml version="1.0" encoding="GB2312"?><e><p at="1">京A1</p></e>'.encode("gb2312"),
        '<e><p at="1">京A1</p></e>'.encode("utf-16"),
    ],
)
def test_one_document_in_many_forms(body: bytes) -> None:
    root = read_xml(body)
    assert (root.name, root.text_of("p"), root.text_of("q", "p")) == ("e", "京A1", "")
    (node,) = root.every("p")
    assert node.attributes == {"at": "1"}


def test_bytes_of_an_encoding_that_nobody_names_cost_only_themselves() -> None:
    root = read_xml(b"<e><name>Einfahrt Z\xfc</name><p>M1</p></e>")
    assert (root.text_of("name"), root.text_of("p")) == ("Einfahrt Z�", "M1")


@pytest.mark.parametrize("declared", ['<?xml version="1.0" encoding="UTF-8"?>', ""])
def test_gb18030_that_is_called_utf_8(declared: str) -> None:
    root = read_xml(f"{declared}<e><p>京A12345</p></e>".encode("gb18030"))
    assert root.text_of("p") == "京A12345"


@given(st.binary(max_size=300) | st.text("<>/a=\"'&;! []-?x:", max_size=200).map(str.encode))
def test_nothing_else_is_ever_raised(body: bytes) -> None:
    with contextlib.suppress(InvalidInputError):
        read_xml(body)
