"""What the acquirer's notices say: part 6 of docs/acquirer-wire.md."""

from sesame.sandbox.platform import Json, PendingNotice, agreement_json, order_json


def describe(notice: PendingNotice) -> tuple[str, Json]:
    """Return the type of a notice, and its data."""
    return notice.kind, _data(notice)


def _data(notice: PendingNotice) -> Json:
    if notice.kind.startswith("agreement."):
        return agreement_json(notice.subject)
    if not notice.kind.startswith("chargeback."):
        return order_json(notice.subject)
    names = ("reference", "status", "reason", "amount_minor", "currency")
    return {"charge": notice.subject["number"], **{name: notice.subject[name] for name in names}}
