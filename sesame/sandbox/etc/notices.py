"""What the ETC acquirer's notices say: part 6 of docs/etc-wire.md."""

from sesame.sandbox.etc.objects import contract_json, money_json
from sesame.sandbox.platform import Json, PendingNotice

_TOPICS = {"agreement": "contract", "charge": "deduction", "refund": "correction"}


def describe(notice: PendingNotice) -> tuple[str, Json]:
    """Return the type of a notice, and its data."""
    topic, _, action = notice.kind.partition(".")
    show = contract_json if topic == "agreement" else money_json
    return f"{_TOPICS.get(topic, topic)}.{action}", show(notice.subject)
