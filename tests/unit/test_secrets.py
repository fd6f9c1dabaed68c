"""No value that opens something is shown by what holds it: a log or a traceback may show that."""

from dataclasses import fields

import pytest

from api.request import RequestContext
from parking.flows.payments.payer_question import PayerAnswer, PayerQuestion
from parking.flows.payments.visitor import Visitor
from parking.kit.tokens import RefreshToken
from parking.payments.providers.alipay import AlipaySettings
from parking.payments.providers.gocardless import GoCardlessSettings
from parking.payments.providers.stripe import StripeSettings
from parking.payments.providers.wechat import WechatSettings
from parking.payments.signed_wire import SignedWireSettings
from parking.places.service import NewLane
from parking.staff.oidc import Returned
from parking.staff.passkeys import Invitation
from parking.staff.provider import Asked, ProviderSettings
from parking.staff.sign_ins import StaffSignedIn

HELD = {
    AlipaySettings: {"app_key_pem"},
    Asked: {"verifier"},
    GoCardlessSettings: {"access_token", "webhook_secret"},
    Invitation: {"token"},
    NewLane: {"device_token"},
    PayerAnswer: {"secret", "code"},
    PayerQuestion: {"secret"},
    ProviderSettings: {"client_secret"},
    RefreshToken: {"text"},
    RequestContext: {"token", "connection_params"},
    Returned: {"kept", "code"},
    SignedWireSettings: {"merchant_key_pem"},
    StaffSignedIn: {"access_token", "refresh_token"},
    StripeSettings: {"secret_key", "webhook_secrets"},
    Visitor: {"payer_id"},
    WechatSettings: {"key_pem", "api_key"},
}


@pytest.mark.parametrize("kind", HELD)
def test_a_secret_is_not_shown(kind: type) -> None:
    hidden = {field.name for field in fields(kind) if not field.repr}
    assert hidden >= HELD[kind]
