"""What a verified notice says."""

from typing import Literal

from pydantic import AwareDatetime, ValidationError

from parking.payments.port import Notice, NoticeKind, NoticeRefusedError
from parking.payments.providers.etc.answers import (
    Answer,
    ContractAnswer,
    CorrectionAnswer,
    DeductionAnswer,
    Text,
)

BODY_BYTES_MAX = 16 * 1024

# What each type is called in the port, and the status that its data must show.
_KINDS = {
    "contract.signed": (NoticeKind.AGREEMENT_SIGNED, "active"),
    "contract.cancelled": (NoticeKind.AGREEMENT_CANCELLED, "cancelled"),
    "deduction.succeeded": (NoticeKind.CHARGE_SUCCEEDED, "succeeded"),
    "deduction.failed": (NoticeKind.CHARGE_FAILED, "failed"),
    "correction.succeeded": (NoticeKind.REFUND_SUCCEEDED, "succeeded"),
    "correction.failed": (NoticeKind.REFUND_FAILED, "failed"),
}


class _Envelope(Answer):
    id: Text
    type: Literal[
        "contract.signed",
        "contract.cancelled",
        "deduction.succeeded",
        "deduction.failed",
        "correction.succeeded",
        "correction.failed",
    ]
    occurred_at: AwareDatetime


class _ContractNotice(_Envelope):
    data: ContractAnswer


class _DeductionNotice(_Envelope):
    data: DeductionAnswer


class _CorrectionNotice(_Envelope):
    data: CorrectionAnswer


_MODELS: dict[str, type[_ContractNotice | _DeductionNotice | _CorrectionNotice]] = {
    "contract": _ContractNotice,
    "deduction": _DeductionNotice,
    "correction": _CorrectionNotice,
}


def parse_notice(body: bytes) -> Notice:
    """Return the notice in a body whose signature was checked.

    Raises:
        NoticeRefusedError: the body is not a notice of this wire.
    """
    try:
        said = _Envelope.model_validate_json(body).type
        notice = _MODELS[said.partition(".")[0]].model_validate_json(body)
    except ValidationError as error:
        raise NoticeRefusedError("body") from error
    kind, status = _KINDS[said]
    if notice.data.status != status:
        raise NoticeRefusedError("body")
    data = notice.data
    result = data.state() if isinstance(data, ContractAnswer) else data.result()
    return Notice(notice_id=notice.id, kind=kind, occurred_at=notice.occurred_at, result=result)
