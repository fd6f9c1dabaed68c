"""XML of devices, read without any of what makes XML dangerous.

No document type and so no entities, nothing fetched, few levels and nodes, and no namespaces:
one maker alone uses three for the same message.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from lxml import etree as _etree  # pyright: ignore  # noqa: PGH003 - it has no types

from parking.kit.errors import InvalidInputError

etree: Any = _etree  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

XML_BYTES_MAX: Final = 1024 * 1024
DEPTH_MAX: Final = 32
NODES_MAX: Final = 4096
ATTRIBUTES_MAX: Final = 64  # Of one node.
# Some firmwares begin with an empty line, which XML forbids before its declaration.
_NOISE: Final = b"\x00 \t\r\n"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class XmlNode:
    """A node without its namespace.

    Attributes:
        text: Of the node itself, without that of the nodes below, stripped.
    """

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    text: str = field(default="", repr=False)
    children: "list[XmlNode]" = field(default_factory=list["XmlNode"], repr=False)

    def find(self, *path: str) -> "XmlNode | None":
        """Return the first node under each name of the path; None where one is missing."""
        node: XmlNode | None = self
        for name in path:
            if node is None:
                return None
            node = next((child for child in node.children if child.name == name), None)
        return node

    def text_of(self, *path: str) -> str:
        """Return a node's text; empty where it is missing."""
        node = self.find(*path)
        return "" if node is None else node.text

    def every(self, name: str) -> "Iterator[XmlNode]":
        """Return the nodes of a name at any depth, in the document's order, itself among them."""
        waiting: list[XmlNode] = [self]
        while waiting:
            node = waiting.pop()
            if node.name == name:
                yield node
            waiting.extend(reversed(node.children))


def looks_like_xml(content: bytes) -> bool:
    """Return whether a text begins as XML does."""
    return _trimmed(content)[:1] == b"<"


def read_xml(content: bytes, name: str = "body") -> XmlNode:
    """Return the document's root.

    Args:
        content: In any encoding that it names. What is no UTF-8 although nothing else is named
            is taken for GB18030, which Chinese firmware sends; what is neither becomes U+FFFD:
            the name of a camera must not cost a car its entry.
        name: Of the part, for the error.

    Raises:
        InvalidInputError: it is no XML, has a document type, or exceeds a limit.
    """
    if len(content) > XML_BYTES_MAX:
        raise InvalidInputError(name, f"XML of at most {XML_BYTES_MAX} bytes")
    parser: Any = etree.XMLParser(
        target=_Builder(name),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root: XmlNode | None = etree.fromstring(_readable(_trimmed(content)), parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        raise InvalidInputError(name, "well-formed XML") from None
    if root is None:
        raise InvalidInputError(name, "well-formed XML")
    return root


def _trimmed(content: bytes) -> bytes:
    if content.startswith(_UTF_16):
        return content  # Every other byte of it is a zero.
    return content.strip(_NOISE).removeprefix(_BYTE_ORDER_MARK).lstrip(_NOISE)


def _readable(content: bytes) -> bytes:
    declaration = content[:200].partition(b"?>")[0].lower()
    if b"encoding" in declaration and b"utf-8" not in declaration:
        return content
    if content.startswith(_UTF_16):
        return content
    for encoding in ("utf-8", "gb18030"):
        try:
            return content.decode(encoding).encode()
        except UnicodeDecodeError:
            continue
    return content.decode("utf-8", "replace").encode()


class _Builder:
    """Builds the tree while the parser reads, and ends the reading at the first limit."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._root: XmlNode | None = None
        self._open: list[tuple[XmlNode, list[str]]] = []
        self._nodes = 0

    def doctype(self, *_: object) -> NoReturn:
        """Refuse: what follows could declare entities."""
        raise InvalidInputError(self._name, "XML without a document type")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Open a node."""
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise InvalidInputError(self._name, f"XML of at most {NODES_MAX} nodes")
        if len(self._open) >= DEPTH_MAX:
            raise InvalidInputError(self._name, f"XML of at most {DEPTH_MAX} levels")
        if len(attributes) > ATTRIBUTES_MAX:
            raise InvalidInputError(self._name, f"at most {ATTRIBUTES_MAX} attributes")
        node = XmlNode(_local(tag), {_local(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1][0].children.append(node)
        else:
            self._root = node
        self._open.append((node, []))

    def data(self, text: str) -> None:
        """Add to the text of the node that is open."""
        if self._open:
            self._open[-1][1].append(text)

    def end(self, _tag: str) -> None:
        """Close the node."""
        node, texts = self._open.pop()
        node.text = "".join(texts).strip()

    def close(self) -> XmlNode | None:
        """Return the root."""
        return self._root


def _local(tag: str) -> str:
    # A prefix that nothing declares stays in the name.
    return tag.rpartition("}")[2].rpartition(":")[2]
