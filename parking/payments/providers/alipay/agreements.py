"""Password-free agreements: signed on Alipay's page, asked about, ended."""

from datetime import datetime, timedelta
from urllib.parse import quote

from parking.kit.clock import Clock
from parking.payments.port import (
    AgreementRequest,
    AgreementStarted,
    AgreementState,
    AgreementStatus,
)
from parking.payments.providers.alipay.answers import Agreement, read
from parking.payments.providers.alipay.codes import AGREEMENT_ENDED, AGREEMENT_MISSING
from parking.payments.providers.alipay.settings import APP_CHANNEL, AlipaySettings
from parking.payments.providers.alipay.transport import SUCCESS, Answer, Failure, GatewayClient
from parking.payments.providers.alipay.wire_values import instant

PRODUCT_CODE = "GENERAL_WITHHOLDING"
PERSONAL_PRODUCT_CODE = "GENERAL_WITHHOLDING_P"
PAGE_LIFETIME = timedelta(minutes=30)
# The documented link that opens the app's signing page; its appId is the page's, not ours.
APP_LINK = (
    "alipays://platformapi/startapp?appId=60000157&appClearTop=false&startMultApp=YES&sign_params="
)

_STATUSES = {
    "TEMP": AgreementStatus.PENDING,
    "NORMAL": AgreementStatus.ACTIVE,
    # The documented way out of it is to end the agreement and sign a new one.
    "STOP": AgreementStatus.CANCELLED,
    "UNSIGN": AgreementStatus.CANCELLED,
}


class Agreements:
    """Agreements under our own numbers: `external_agreement_no`."""

    def __init__(self, client: GatewayClient, settings: AlipaySettings, clock: Clock) -> None:
        self._client = client
        self._scene = settings.sign_scene
        self._channel = settings.channel
        self._clock = clock

    def start(self, request: AgreementRequest) -> AgreementStarted:
        """Return the page on which the payer signs; Alipay knows of nothing before that."""
        content = {
            "product_code": PRODUCT_CODE,
            **self._named(request.number),
            "access_params": {"channel": self._channel},
            "effect_time": int(PAGE_LIFETIME.total_seconds()),
        }
        url = self._client.page_url("alipay.user.agreement.page.sign", content, request.return_url)
        if self._channel == APP_CHANNEL:
            # Documented: all parameters of the address, encoded once more, behind the app's own.
            url = APP_LINK + quote(url.partition("?")[2], safe="")
        return AgreementStarted(
            reference=request.number,
            confirmation_url=url,
            expires_at=self._clock.now() + PAGE_LIFETIME,
        )

    async def query(self, reference: str) -> AgreementState:
        """Return where it stands; before it was signed and after it ended, there is none."""
        answer = await self._client.call("alipay.user.agreement.query", self._named(reference))
        if isinstance(answer, Failure):
            return _state(reference, AgreementStatus.UNKNOWN)
        if answer.sub_code in AGREEMENT_MISSING:
            return _state(reference, AgreementStatus.NOT_FOUND)
        if answer.sub_code in AGREEMENT_ENDED:
            return _state(reference, AgreementStatus.CANCELLED)
        agreement = read(Agreement, answer.node) if answer.code == SUCCESS else None
        if agreement is None or agreement.external_agreement_no != reference:
            return _state(reference, AgreementStatus.UNKNOWN)
        return agreement_state(agreement, self._clock.now())

    async def cancel(self, reference: str) -> AgreementState:
        """End it; a second time finds none."""
        answer = await self._client.call("alipay.user.agreement.unsign", self._named(reference))
        if isinstance(answer, Answer):
            if answer.code == SUCCESS:
                now = self._clock.now().replace(microsecond=0)
                return AgreementState(
                    reference=reference, status=AgreementStatus.CANCELLED, cancelled_at=now
                )
            if answer.sub_code in AGREEMENT_MISSING:
                return _state(reference, AgreementStatus.NOT_FOUND)
            if answer.sub_code in AGREEMENT_ENDED:
                return _state(reference, AgreementStatus.CANCELLED)
        return _state(reference, AgreementStatus.UNKNOWN)

    def _named(self, reference: str) -> dict[str, object]:
        return {
            "personal_product_code": PERSONAL_PRODUCT_CODE,
            "sign_scene": self._scene,
            "external_agreement_no": reference,
        }


def agreement_state(agreement: Agreement, now: datetime) -> AgreementState:
    """Return an agreement in the port's words; `UNKNOWN` for a word that we do not know."""
    reference = agreement.external_agreement_no
    status = _STATUSES.get(agreement.status)
    try:
        signed_at = instant(agreement.sign_time) if agreement.sign_time else None
        ends_at = instant(agreement.invalid_time) if agreement.invalid_time else None
    except ValueError:
        status, signed_at, ends_at = None, None, None
    if status is None:
        return _state(reference, AgreementStatus.UNKNOWN)
    if status is AgreementStatus.ACTIVE and ends_at is not None and ends_at <= now:
        status = AgreementStatus.EXPIRED
    return AgreementState(
        reference=reference,
        status=status,
        instrument=agreement.agreement_no,
        payer_hint=agreement.alipay_logon_id,
        signed_at=signed_at,
    )


def _state(reference: str, status: AgreementStatus) -> AgreementState:
    return AgreementState(reference=reference, status=status)
