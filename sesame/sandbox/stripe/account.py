"""The merchant's account at the stand-in: what every call works on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from sesame.sandbox.platform import ORDER, Json, NotFoundError, Platform, Scenario
from sesame.sandbox.stripe.errors import invalid, missing
from sesame.sandbox.stripe.form import Form
from sesame.sandbox.stripe.objects import NUMBER, list_json
from sesame.sandbox.stripe.things import Things

LIMIT_MAX = 100
LIMIT_DEFAULT = 10
ROWS_MAX = 100_000


@dataclass(slots=True)
class Account:
    """Keys, books and what has no place in them.

    Attributes:
        secret_key: The bearer key; it says whether this is live mode.
        webhook_secrets: All of them sign while one is being replaced.
        connected: Calls and events are for this connected account; None for its own.
        in_progress: Idempotency keys whose call is not answered yet.
        differences: What the settlement that is being paged through has wrong.
    """

    platform: Platform
    things: Things
    secret_key: str
    webhook_secrets: tuple[str, ...]
    connected: str | None = None
    in_progress: set[str] = field(default_factory=set[str])
    differences: frozenset[Scenario] = frozenset()

    @property
    def livemode(self) -> bool:
        """Whether the key is a live one."""
        return "_live_" in self.secret_key

    def intent(self, identity: str) -> Json:
        """Return the order of a PaymentIntent.

        Raises:
            StripeRefusedError: there is none.
        """
        try:
            row = self.platform.orders.by_reference(ORDER, identity)
        except NotFoundError:
            row = None
        # A page has no intent before somebody pays on it.
        if row is None or (row["kind"] == "checkout" and "session" in row["extra"] and _open(row)):
            raise missing("payment_intent", identity, param="intent")
        return row

    def number_for(self, asked: Mapping[str, str], identity: str) -> str:
        """Return the name in the books: the merchant's number, which Stripe itself never reads.

        A second object with the same number is another one in the books too.
        """
        number = asked.get(NUMBER, identity)
        try:
            self.platform.orders.get(ORDER, number)
        except NotFoundError:
            return number
        return f"{number}.{identity}"

    def rows(self, statement: str, form: Form, *values: object) -> list[Json]:
        """Return rows of the books within the asked window of time, newest first."""
        start, end = window(form)
        return self.platform.store.all(
            f"{statement} and created_ms >= ? and created_ms < ?"
            " order by created_ms desc, rowid desc limit ?",
            *values,
            start * 1000,
            end * 1000,
            ROWS_MAX,
        )


def window(form: Form) -> tuple[int, int]:
    """Return the asked window of creation, in seconds: from, and up to but without."""
    created = section(form, "created")
    bounds = {name: integer(created, name) for name in created}
    start = max(bounds.get("gte", 0), bounds.get("gt", -1) + 1)
    end = min(bounds.get("lt", 2**40), bounds.get("lte", 2**40) + 1)
    return start, end


def integer(form: Mapping[str, Any], name: str) -> int:
    """Return a whole number of the form.

    Raises:
        StripeRefusedError: it is none.
    """
    value = form.get(name)
    if not isinstance(value, str) or not value.isascii() or not value.isdigit():
        raise invalid(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def only(form: Mapping[str, Any], *names: str) -> None:
    """Refuse a parameter that Stripe does not document for the call."""
    for name in form:
        if name == "payment_method_types":
            raise invalid(
                "payment_method_types is not supported in this API version.",
                code="payment_method_types_no_longer_supported",
                param=name,
            )
        if name not in names:
            raise invalid(
                f"Received unknown parameter: {name}", code="parameter_unknown", param=name
            )


def need(form: Mapping[str, Any], name: str) -> str:
    """Return a text of the form.

    Raises:
        StripeRefusedError: it is not there.
    """
    value = form.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return value


def metadata_of(form: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata of the form."""
    return {name: str(value) for name, value in section(form, "metadata").items()}


def section(form: Mapping[str, Any], name: str) -> Form:
    """Return an object inside the form; empty where it is not there.

    Raises:
        StripeRefusedError: it is something else.
    """
    value: object = form.get(name, {})
    if not isinstance(value, dict):
        raise invalid(f"Invalid object: {name}", param=name)
    return cast("Form", value)


def page_of(url: str, form: Form, items: list[Json]) -> Json:
    """Return the asked page of a list.

    Raises:
        StripeRefusedError: the page is larger than pages are.
    """
    limit = integer(form, "limit") if "limit" in form else LIMIT_DEFAULT
    if not 0 < limit <= LIMIT_MAX:
        raise invalid(f"limit: at most {LIMIT_MAX}", param="limit")
    return list_json(url, items, limit=limit, after=form.get("starting_after"))


def _open(row: Json) -> bool:
    return row["status"] != "succeeded"
