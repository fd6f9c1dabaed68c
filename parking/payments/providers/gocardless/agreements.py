"""Mandates: a billing request that the payer fulfils on GoCardless' page."""

from typing import NoReturn
from urllib.parse import quote

from parking.payments.port import (
    ANSWER_MISMATCH,
    NUMBER_CONFLICT,
    AgreementRequest,
    AgreementStarted,
    AgreementState,
    AgreementStatus,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from parking.payments.providers.gocardless.answers import (
    NUMBER,
    BankAccountAnswer,
    BillingRequest,
    BillingRequestAnswer,
    BillingRequestFlowAnswer,
    Mandate,
    MandateAnswer,
)
from parking.payments.providers.gocardless.transport import Failure, GoCardlessClient

SCHEME = "sepa_core"
SCHEME_CURRENCY = "EUR"
_ENDED = {AgreementStatus.CANCELLED, AgreementStatus.EXPIRED}


async def start(client: GoCardlessClient, request: AgreementRequest) -> AgreementStarted:
    """Make the billing request of this number, and a page for it.

    Raises:
        ProviderUnavailableError: no answer came.
        ProviderRefusedError: GoCardless said no.
    """
    asked = await _billing_request(client, request)
    body = {
        "billing_request_flows": {
            "redirect_uri": request.return_url,
            "exit_uri": request.return_url,
            "links": {"billing_request": asked.id},
        }
    }
    # A second page for the same request does no harm, and one cannot be asked for again.
    page = await client.post(BillingRequestFlowAnswer, "/billing_request_flows", body)
    if isinstance(page, Failure):
        _raise(page)
    flow = page.billing_request_flows
    return AgreementStarted(
        reference=asked.id, confirmation_url=flow.authorisation_url, expires_at=flow.expires_at
    )


async def query(client: GoCardlessClient, reference: str) -> AgreementState:
    """Return where a billing request or a mandate stands."""
    if reference.startswith("MD"):
        return await _mandate_state(client, reference, reference)
    answer = await client.get(
        BillingRequestAnswer, f"/billing_requests/{quote(reference, safe='')}"
    )
    if isinstance(answer, Failure):
        return _unheard(reference, answer)
    asked = answer.billing_requests
    if asked.id != reference:
        return AgreementState(reference=reference, status=AgreementStatus.UNKNOWN)
    if asked.status == "cancelled":
        return AgreementState(reference=reference, status=AgreementStatus.CANCELLED)
    if asked.status != "fulfilled" or asked.links.mandate_request_mandate is None:
        return AgreementState(reference=reference, status=AgreementStatus.PENDING)
    return await _mandate_state(client, reference, asked.links.mandate_request_mandate)


async def cancel(client: GoCardlessClient, reference: str) -> AgreementState:
    """End a billing request, or the mandate that came of it."""
    state = await query(client, reference)
    if state.status is AgreementStatus.PENDING and state.instrument is None:
        path = f"/billing_requests/{quote(reference, safe='')}/actions/cancel"
        await client.post(BillingRequestAnswer, path, {})
    elif state.status not in _ENDED and state.instrument is not None:
        path = f"/mandates/{quote(state.instrument, safe='')}/actions/cancel"
        await client.post(MandateAnswer, path, {})
    else:
        return state
    # Whatever the answer was: only the object itself says that it has ended.
    after = await query(client, reference)
    if after.status in _ENDED or after.status is AgreementStatus.UNKNOWN:
        return after
    return AgreementState(reference=reference, status=AgreementStatus.UNKNOWN)


async def _billing_request(client: GoCardlessClient, request: AgreementRequest) -> BillingRequest:
    body = {
        "billing_requests": {
            "metadata": {NUMBER: request.number},
            "mandate_request": {
                "currency": SCHEME_CURRENCY,
                "scheme": SCHEME,
                "description": request.description,
                "metadata": {NUMBER: request.number},
            },
        }
    }
    answer = await client.post(BillingRequestAnswer, "/billing_requests", body, key=request.number)
    if isinstance(answer, Failure) and answer.conflicting_id:
        path = f"/billing_requests/{answer.conflicting_id}"
        answer = await client.get(BillingRequestAnswer, path)
        if not isinstance(answer, Failure) and not _is_same(answer.billing_requests, request):
            raise ProviderRefusedError(NUMBER_CONFLICT)
    if isinstance(answer, Failure):
        _raise(answer)
    if answer.billing_requests.metadata.get(NUMBER) != request.number:
        raise ProviderUnavailableError(ANSWER_MISMATCH)
    return answer.billing_requests


def _is_same(found: BillingRequest, request: AgreementRequest) -> bool:
    asked = found.mandate_request
    return (
        found.metadata.get(NUMBER) == request.number
        and asked is not None
        and asked.description == request.description
    )


async def _mandate_state(
    client: GoCardlessClient, reference: str, mandate_id: str
) -> AgreementState:
    answer = await client.get(MandateAnswer, f"/mandates/{quote(mandate_id, safe='')}")
    if isinstance(answer, Failure):
        return _unheard(reference, answer)
    mandate = answer.mandates
    if mandate.id != mandate_id:
        return AgreementState(reference=reference, status=AgreementStatus.UNKNOWN)
    status = mandate.agreement_status
    return AgreementState(
        reference=reference,
        status=status,
        instrument=mandate.id,
        also_known_as=mandate.id,
        payer_hint=await _payer_hint(client, mandate) if status not in _ENDED else None,
        signed_at=mandate.created_at,
    )


async def _payer_hint(client: GoCardlessClient, mandate: Mandate) -> str | None:
    account = mandate.links.customer_bank_account
    if account is None:
        return None
    answer = await client.get(BankAccountAnswer, f"/customer_bank_accounts/{account}")
    if isinstance(answer, Failure):
        # The mandate is good without it.
        return None
    found = answer.customer_bank_accounts
    return f"{found.bank_name or 'IBAN'} •••• {found.account_number_ending}"


def _unheard(reference: str, failure: Failure) -> AgreementState:
    status = AgreementStatus.NOT_FOUND if failure.says_not_found else AgreementStatus.UNKNOWN
    return AgreementState(reference=reference, status=status)


def _raise(failure: Failure) -> NoReturn:
    if failure.is_refusal:
        raise ProviderRefusedError(failure.code)
    raise ProviderUnavailableError(failure.code)
