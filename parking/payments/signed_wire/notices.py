"""What a verified notice says (part 6 of a wire's page)."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import AwareDatetime

from parking.payments.port import Notice, NoticeKind, NoticeRefusedError
from parking.payments.signed_wire.answers import Answer, Subject, Text

# The status that the subject of a notice must show, so that it cannot say two things at once.
_STATUSES = {"signed": "active"}
_SubjectT = TypeVar("_SubjectT", bound=Subject)


class _Envelope(Answer):
    id: Text
    type: Text
    occurred_at: AwareDatetime


class SignedNotice(_Envelope, Generic[_SubjectT]):
    """A notice about one kind of thing."""

    data: _SubjectT


Topics = Mapping[str, tuple[str, type[SignedNotice[Any]]]]
"""By what a wire calls a thing: what the port calls it, and its notices."""


def parse_notice(body: bytes, topics: Topics) -> Notice:
    """Return the notice in a body whose signature was checked.

    Raises:
        NoticeRefusedError: the body is not a notice of this wire.
    """
    try:
        said, _, happened = _Envelope.model_validate_json(body).type.partition(".")
        topic, model = topics[said]
        kind = NoticeKind(f"{topic}.{happened}")
        notice = model.model_validate_json(body)
    except (KeyError, ValueError) as error:
        raise NoticeRefusedError("body") from error
    if notice.data.status != _STATUSES.get(happened, happened):
        raise NoticeRefusedError("body")
    return Notice(
        notice_id=notice.id,
        kind=kind,
        occurred_at=notice.occurred_at,
        result=notice.data.result(),
    )
