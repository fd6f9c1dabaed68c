"""Both schemas as data: a whole document for every query and mutation, and something to give it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final
from uuid import UUID

from api.global_ids import encode_id, read_id
from parking.kit.clock import SystemClock
from parking.kit.ids import new_id

# Half of its types are unknown to a type checker.
graphql: Any = import_module("graphql")

DEPTH_MAX: Final = 6
# Not below `node`: the viewer is a field of its own.
WALKED_ELSEWHERE: Final = frozenset({"Viewer"})
# What a place sells and charges, everybody who is signed in may read.
PUBLIC_KINDS: Final = frozenset({"Place", "PassProduct"})
# What an argument's name speaks of; without an entry, a bill.
NAMED: Final = {
    "sessionId": "Session",
    "placeId": "Place",
    "plateId": "Plate",
    "claimId": "PlateClaim",
    "mandateId": "Mandate",
    "passId": "Pass",
    "productId": "PassProduct",
    "disputeId": "Dispute",
    "refundId": "Refund",
    "invoiceId": "Invoice",
    "paymentId": "Payment",
    "differenceId": "ReconciliationDifference",
    "partnerId": "Operator",
    "laneId": "AccessLane",
    "signInId": "SignIn",
    "deviceId": "Device",
    "campaignId": "Campaign",
    "segmentId": "Segment",
    "driverId": "Viewer",
}
# Of a document; the server reads no more than QUERY_TOKENS_MAX.
PART_TOKENS_MAX: Final = 900
_TOKEN: Final = re.compile(r"\w+|[{}]|\.\.\.")
_IDS: Final = re.compile(r"[A-Za-z0-9_-]{40,200}")


@dataclass(frozen=True, slots=True)
class Call:
    """A query or a mutation, with everything below it.

    Attributes:
        arguments: Those that it needs, and every id that it may be given.
    """

    kind: str
    name: str
    document: str
    arguments: Mapping[str, Any]

    @property
    def takes_id(self) -> bool:
        return any(takes_id(given.type) for given in self.arguments.values())

    @property
    def needs_something(self) -> bool:
        return any(graphql.is_required_argument(given) for given in self.arguments.values())

    def variables(self, ids: "Ids", given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what to send: the ids, and of every other kind what `given` has."""
        return {
            name: value_of(argument.type, name, ids, given)
            for name, argument in self.arguments.items()
        }


@dataclass
class Ids:
    """Global ids, of each kind one.

    Attributes:
        secrets: What nobody but their owners may be told.
    """

    by_kind: dict[str, str]
    secrets: set[str] = field(default_factory=set[str])
    nowhere: UUID = field(default_factory=lambda: new_id(SystemClock().now()))

    def take(self, text: str) -> None:
        """Take up every id in a text."""
        for found in _IDS.findall(text):
            try:
                kind, _ = read_id(found)
            except ValueError:
                continue
            self.by_kind.setdefault(kind, found)
            if kind not in PUBLIC_KINDS:
                self.secrets.add(found)

    def find(self, name: str) -> str:
        """Return the id of the kind that a name speaks of, or any."""
        wanted = NAMED.get(name.removesuffix("s"), "Bill")
        return self.by_kind.get(wanted) or next(iter(self.by_kind.values()))

    def only(self, kind: str) -> "Ids":
        """Return one kind, to be given wherever an id is asked for."""
        return Ids({kind: self.by_kind[kind]}, self.secrets)

    def unknown(self) -> "Ids":
        """Return ids of the same kinds and the same operator that lead nowhere."""
        unknown: dict[str, str] = {}
        for kind, text in self.by_kind.items():
            *operator_id, _ = read_id(text)[1]
            is_public = kind in PUBLIC_KINDS
            unknown[kind] = text if is_public else encode_id(kind, *operator_id, self.nowhere)
        return Ids(unknown, self.secrets)


def documents(schema: Any) -> Iterator[Call]:  # noqa: ANN401 - GraphQL's
    """Return every query and mutation, whole."""
    for kind, root in (("query", schema.query_type), ("mutation", schema.mutation_type)):
        for name, called in root.fields.items():
            arguments = {
                key: given
                for key, given in called.args.items()
                if graphql.is_required_argument(given) or takes_id(given.type)
            }
            declared = ", ".join(f"${key}: {given.type}" for key, given in arguments.items())
            passed = ", ".join(f"{key}: ${key}" for key in arguments)
            head = f"{kind} {f'({declared})' if declared else ''} {{ {name}"
            head += f"({passed})" if passed else ""
            for below in _below(schema, name, graphql.get_named_type(called.type)):
                yield Call(kind, name, f"{head} {below} }}", arguments)


def selection(schema: Any, kind: Any, depth: int = 0) -> str:  # noqa: ANN401 - GraphQL's
    """Return every field below that needs no argument; empty for a scalar."""
    named = graphql.get_named_type(kind)
    if graphql.is_leaf_type(named) or depth > DEPTH_MAX:
        return ""
    if graphql.is_abstract_type(named):
        below = " ".join(
            f"... on {member.name} {selection(schema, member, depth)}"
            for member in schema.get_possible_types(named)
        )
        return f"{{ __typename {below} }}"
    parts: list[str] = []
    for name, member in named.fields.items():
        if not any(graphql.is_required_argument(argument) for argument in member.args.values()):
            below = selection(schema, member.type, depth + 1)
            if below or graphql.is_leaf_type(graphql.get_named_type(member.type)):
                parts.append(f"{name} {below}")
    return f"{{ {' '.join(parts)} }}" if parts else ""


def takes_id(kind: Any) -> bool:  # noqa: ANN401 - GraphQL's
    """Say whether an argument is an id, or holds one."""
    named = graphql.get_named_type(kind)
    if graphql.is_input_object_type(named):
        return any(takes_id(member.type) for member in named.fields.values())
    return named.name == "ID"


def value_of(kind: Any, name: str, ids: Ids, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 - GraphQL's, and JSON
    """Return something of a kind, with the ids wherever ids are asked for."""
    if graphql.is_non_null_type(kind):
        return value_of(kind.of_type, name, ids, given)
    if graphql.is_list_type(kind):
        return [value_of(kind.of_type, name, ids, given)]
    if graphql.is_input_object_type(kind):
        return {
            key: value_of(member.type, key, ids, given)
            for key, member in kind.fields.items()
            if graphql.is_required_input_field(member) or takes_id(member.type) or "*" in given
        }
    if graphql.is_enum_type(kind):
        return next(iter(kind.values))
    value = given.get(name, given.get(kind.name))
    return ids.find(name) if kind.name == "ID" else value


def _below(schema: Any, name: str, kind: Any) -> Iterator[str]:  # noqa: ANN401 - GraphQL's
    if name == "viewer":
        yield from _in_parts(schema, kind)
        return
    if name != "node":
        yield selection(schema, kind)
        return
    # Different types have fields of one name and different kinds: one after the other.
    for member in schema.get_possible_types(kind):
        if member.name not in WALKED_ELSEWHERE:
            yield f"{{ ... on {member.name} {selection(schema, member)} }}"


def _in_parts(schema: Any, kind: Any) -> Iterator[str]:  # noqa: ANN401 - GraphQL's
    """Return every field below in as few documents as the server reads."""
    parts, tokens = list[str](), 0
    for name, member in kind.fields.items():
        below = selection(schema, member.type, 1)
        needs = any(graphql.is_required_argument(given) for given in member.args.values())
        if needs or not (below or graphql.is_leaf_type(graphql.get_named_type(member.type))):
            continue
        count = len(_TOKEN.findall(f"{name} {below}"))
        if parts and tokens + count > PART_TOKENS_MAX:
            yield f"{{ {' '.join(parts)} }}"
            parts, tokens = [], 0
        parts.append(f"{name} {below}")
        tokens += count
    yield f"{{ {' '.join(parts)} }}"
