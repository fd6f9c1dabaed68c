"""Every setting, from environment variables: `SESAME_…`, `DATABASE_URL`, `REDIS_URL`."""

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from parking.kit.crypto import KEY_BYTES
from parking.kit.errors import InvalidInputError


def _key(value: str) -> str:
    try:
        if len(base64.b64decode(value, validate=True)) == KEY_BYTES:
            return value
    except binascii.Error:
        pass
    raise ValueError(f"expected {KEY_BYTES} bytes in base64")


_Value = TypeVar("_Value", str, Path)

Key = Annotated[str, AfterValidator(_key)]


class Settings(BaseSettings):
    """What a process reads at its start.

    `sesame up` and `sesame demo` set all of it for the processes that they start.
    """

    model_config = SettingsConfigDict(env_prefix="SESAME_", extra="ignore")

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - pydantic checks each
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _first_problem(error) from error
        if self.firebase_emulator and not self.development:
            raise InvalidInputError("FIREBASE_AUTH_EMULATOR_HOST", "no value outside development")

    # Not shown, as every value that is a secret or holds one.
    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL", repr=False)
    redis_url: str | None = Field(default=None, validation_alias="REDIS_URL", repr=False)

    # Personal values: see parking.kit.crypto. Base64 of 32 bytes each.
    field_key: Key | None = Field(default=None, repr=False)
    index_key: Key | None = Field(default=None, repr=False)
    # ES256 private key in PEM that signs access tokens.
    token_key_file: Path | None = None
    # Ed25519 private key in PEM that signs receipts, and the public keys that did before.
    receipt_key_file: Path | None = None
    receipt_retired_keys_file: Path | None = None

    public_url: str = "http://127.0.0.1:8080"
    api_host: str = "127.0.0.1"
    api_port: int = 8080
    # After SIGTERM: how long a balancer has to look at /readyz, and sockets to go elsewhere.
    api_drain_s: float = Field(default=5.0, ge=0, le=300)
    # GraphQL introspection, suggestions and GET; off in production.
    development: bool = False
    # Apollo's manifest of the drivers' apps, and whether they may send nothing else.
    trusted_documents_file: Path | None = None
    trusted_documents_only: bool = False
    # Whose pages may call from a browser: `https://app.example`, several with commas.
    cors_origins: str = ""

    # How long each kind of data is kept, where not as long as by default: docs/retention.md.
    retention_file: Path | None = None

    gates_host: str = "127.0.0.1"
    gates_port: int = 8081
    gates_tls_cert: Path | None = None
    gates_tls_key: Path | None = None
    # Health probes and figures on a port of their own; with TLS the gates' own answers none.
    gates_probe_host: str = "127.0.0.1"
    gates_probe_port: int | None = None
    # The authority of gates' certificates, where the database is not to keep it: both, or none.
    gates_ca_file: Path | None = None
    gates_ca_key_file: Path | None = None

    # The acquirer: docs/acquirer-wire.md. All four, or none.
    acquirer_url: str | None = None
    acquirer_merchant: str | None = None
    acquirer_key_file: Path | None = None
    acquirer_platform_keys_file: Path | None = None

    # Alipay: docs/payments/alipay.md. The first four, or none; the rest have defaults.
    alipay_app_id: str | None = None
    alipay_seller_id: str | None = None
    alipay_key_file: Path | None = None
    alipay_public_keys_file: Path | None = None
    alipay_gateway_url: str = "https://openapi.alipay.com/gateway.do"
    alipay_bill_host: str = "dwbillcenter.alipay.com"
    alipay_sign_scene: str = "INDUSTRY|CARRENTAL"
    alipay_sign_channel: str | None = None
    # The contract's limits of a charge and of an agreement's day, in fen; 0 for none.
    alipay_charge_minor_max: int = Field(default=100_00, ge=0)
    alipay_day_minor_max: int = Field(default=1_000_00, ge=0)
    # PLACE=PARKING pairs with commas: a place of ours, and Alipay's id of it.
    alipay_parking_ids: str | None = None

    # Cars with an ETC unit: docs/payments/etc.md. All four, or none.
    etc_url: str | None = None
    etc_merchant: str | None = None
    etc_key_file: Path | None = None
    etc_platform_keys_file: Path | None = None

    # Bank debits: docs/payments/gocardless.md. All three, or none.
    gocardless_url: str | None = None
    gocardless_access_token_file: Path | None = None
    gocardless_webhook_secret_file: Path | None = None

    # Cards through Stripe: docs/payments/stripe.md. The key and the webhook's secrets, or none.
    stripe_secret_key: str | None = Field(default=None, repr=False)
    # One, or two with a comma while one replaces the other.
    stripe_webhook_secrets: str | None = Field(default=None, repr=False)
    stripe_account: str | None = None
    stripe_url: str = "https://api.stripe.com"

    # WeChat Pay: docs/payments/wechat.md. The first seven, or none.
    wechat_merchant: str | None = None
    wechat_app: str | None = None
    wechat_key_file: Path | None = None
    wechat_key_serial: str | None = None
    wechat_api_key_file: Path | None = None
    wechat_platform_keys_file: Path | None = None
    wechat_service_url: str | None = None
    # Whom a service provider acts for.
    wechat_sub_merchant: str | None = None
    wechat_sub_app: str | None = None
    wechat_advance_funded: bool = False
    # The official account in which payers pay inside WeChat. The first two, or none.
    wechat_account_app: str | None = None
    wechat_account_secret_file: Path | None = None
    wechat_account_page_url: str = "https://open.weixin.qq.com"
    wechat_account_api_url: str = "https://api.weixin.qq.com"
    # Whether the merchant has the product that takes payments from phones' browsers.
    wechat_phone_pages: bool = True
    wechat_url: str = "https://api.mch.weixin.qq.com"

    # The service that has fapiao issued: docs/fapiao-wire.md. All three, or none.
    fapiao_url: str | None = None
    fapiao_account: str | None = None
    fapiao_secret: str | None = Field(default=None, repr=False)

    # Firebase Authentication: docs/identity.md. The addresses are set only for a stand-in.
    firebase_credentials_file: Path | None = None
    firebase_certificates_url: str | None = None
    firebase_accounts_url: str | None = None
    # Google's libraries believe forged tokens where it is set.
    firebase_emulator: str | None = Field(
        default=None, validation_alias="FIREBASE_AUTH_EMULATOR_HOST"
    )

    # Firebase Cloud Messaging. The endpoint is set only where a stand-in takes its place.
    fcm_credentials_file: Path | None = None
    fcm_endpoint: str | None = None

    # Where staff sign in: docs/staff.md. All three, or none.
    staff_oidc_issuer: str | None = None
    staff_oidc_client_id: str | None = None
    staff_oidc_client_secret_file: Path | None = None

    # Web Push: docs/notifications.md. The key and the contact, or none.
    vapid_key_file: Path | None = None
    vapid_contact: str | None = None
    # Where browsers' messages may go, in place of the known services.
    web_push_hosts: str = ""

    # The SMS gateway: docs/sms-webhook.md.
    sms_webhook_url: str | None = None
    sms_webhook_secret: str | None = Field(default=None, repr=False)
    # Twilio: docs/sms.md. The account, the file and the sender, or none.
    twilio_account: str | None = None
    twilio_key: str | None = None
    twilio_secret_file: Path | None = None
    twilio_sender: str | None = None
    # The account's auth token, which signs what Twilio tells us; without it, it tells nothing.
    twilio_auth_token_file: Path | None = None
    twilio_url: str = "https://api.twilio.com"
    # Alibaba Cloud, for numbers in China where another gateway is set too: docs/sms.md.
    aliyun_key_id: str | None = None
    aliyun_key_secret_file: Path | None = None
    aliyun_texts_file: Path | None = None
    aliyun_url: str = "https://dysmsapi.aliyuncs.com"
    # Where codes are sent to: ISO 3166 codes such as `DE,AT`; empty for everywhere.
    sms_countries: str = ""
    # Codes of the whole service; parking.drivers.texting has the default.
    sms_codes_per_hour_max: int | None = Field(default=None, ge=1)
    sms_codes_per_day_max: int | None = Field(default=None, ge=1)
    # When a deduction that nobody acknowledged goes out as a text message; 0 for never.
    sms_after_minutes: int = Field(default=5, ge=0, le=1440)

    # `console` for people, `json` for one object a line; the command reads it before all else.
    log_format: Literal["console", "json"] = "console"

    def require_database_url(self) -> str:
        """Return DATABASE_URL.

        Raises:
            InvalidInputError: it is not set.
        """
        return _required("DATABASE_URL", self.database_url)

    def require_redis_url(self) -> str:
        """Return REDIS_URL.

        Raises:
            InvalidInputError: it is not set.
        """
        return _required("REDIS_URL", self.redis_url)

    def require_keys(self) -> tuple[bytes, bytes]:
        """Return the field key and the index key.

        Raises:
            InvalidInputError: one is not set, or they are the same.
        """
        field_key = _required("SESAME_FIELD_KEY", self.field_key)
        index_key = _required("SESAME_INDEX_KEY", self.index_key)
        if field_key == index_key:
            raise InvalidInputError("SESAME_INDEX_KEY", "another key than SESAME_FIELD_KEY")
        return base64.b64decode(field_key), base64.b64decode(index_key)

    def fapiao(self) -> "Fapiao | None":
        """Return how to reach the fapiao service; None where it is not used.

        Raises:
            InvalidInputError: only a part of it is set.
        """
        if not self.fapiao_url:
            return None
        return Fapiao(
            url=self.fapiao_url,
            account=_required("SESAME_FAPIAO_ACCOUNT", self.fapiao_account),
            secret=_required("SESAME_FAPIAO_SECRET", self.fapiao_secret),
        )


@dataclass(frozen=True, slots=True)
class Fapiao:
    """The three settings that reach the fapiao service."""

    url: str
    account: str
    secret: str = field(repr=False)


def _first_problem(error: ValidationError) -> InvalidInputError:
    """Name the variable, and never its value: some are keys."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "settings"
    variable = name if name.isupper() else f"SESAME_{name.upper()}"
    told = first["msg"].removeprefix("Value error, expected ").removeprefix("Input should be ")
    return InvalidInputError(variable, told)


def _required(name: str, value: _Value | None) -> _Value:
    if not value:
        raise InvalidInputError(name, "a value in the environment; docs/embedded.md says how")
    return value
