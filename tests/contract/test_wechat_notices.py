"""Notices of WeChat Pay, signed by openssl and sealed by hand."""

import base64
import json
from dataclasses import replace

import pytest

from parking.kit.clock import ManualClock
from parking.payments.port import (
    Advance,
    AgreementState,
    AgreementStatus,
    ChargeResult,
    NoticeKind,
    NoticeRefusedError,
    OrderStatus,
)
from parking.payments.providers.wechat import WechatProvider
from tests.contract.wechat_scheme import KeyPair, gcm_open, gcm_seal, said
from tests.contract.wechat_wire import (
    API_KEY,
    AT,
    MERCHANT,
    NOW_S,
    NUMBER,
    PLATE,
    PRICE,
    Keys,
    Wire,
    order_json,
    parking,
)


class TestCipher:
    def test_by_hand_is_the_standard_s(self) -> None:
        # The GCM specification of McGrew and Viega, test case 16.
        key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
        nonce = bytes.fromhex("cafebabefacedbaddecaf888")
        plain = bytes.fromhex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        )
        associated = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")

        sealed = gcm_seal(key, nonce, plain, associated)

        assert sealed.hex() == (
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
            "76fc6ece0f4e1768cddf8853bb2d551b"
        )
        assert gcm_open(key, nonce, sealed, associated) == plain


class Letters:
    """Notices of the scheme, made without the adapter's libraries."""

    def __init__(self, key: KeyPair) -> None:
        self.key = key
        self.serial = "PUB_KEY_ID_1"

    def sealed(
        self, resource: object, *, event: str = "TRANSACTION.SUCCESS", key: str = API_KEY
    ) -> bytes:
        plain = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
        nonce, associated = b"fdasfjihihih", b"transaction"
        text = gcm_seal(key.encode(), nonce, plain, associated)
        content = {
            "id": "EV-2018022511223320873",
            "create_time": "2026-11-27T16:00:01+08:00",
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": "支付成功",
            "resource": {
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(text).decode(),
                "nonce": nonce.decode(),
                "associated_data": associated.decode(),
                "original_type": "transaction",
            },
        }
        return json.dumps(content, ensure_ascii=False).encode()

    def headers(self, body: bytes, *, age_s: int = 0, prefix: str = "") -> dict[str, str]:
        at, nonce = NOW_S - age_s, "c5ac7061fccab6bf3e254dcf98995b8c"
        return {
            "Wechatpay-Timestamp": str(at),
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Serial": self.serial,
            "Wechatpay-Signature": prefix + self.key.sign(said(at, nonce, body)),
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
        }


class TestNotice:
    @pytest.fixture
    def provider(self, wechat_keys: Keys) -> WechatProvider:
        return WechatProvider(wechat_keys.settings(), ManualClock(AT))

    @pytest.fixture
    def letters(self, wechat_keys: Keys) -> Letters:
        return Letters(wechat_keys.theirs)

    def test_made_by_hand_is_read(self, provider: WechatProvider, letters: Letters) -> None:
        body = letters.sealed(order_json())

        (notice,) = provider.verify_notices(letters.headers(body), body)

        assert (notice.notice_id, notice.kind) == (
            "EV-2018022511223320873",
            NoticeKind.CHARGE_SUCCEEDED,
        )
        assert notice.occurred_at == AT
        assert notice.result == ChargeResult(
            number=NUMBER,
            status=OrderStatus.SUCCEEDED,
            provider_reference="4200000001",
            amount=PRICE,
        )

    def test_is_read_under_a_certificate_too(self, wechat_keys: Keys, letters: Letters) -> None:
        pem, serial = wechat_keys.theirs.certificate()
        letters.serial = serial.zfill(40)
        provider = WechatProvider(
            replace(wechat_keys.settings(), platform_keys_pem=pem), ManualClock(AT)
        )
        body = letters.sealed(order_json())

        (notice,) = provider.verify_notices(letters.headers(body), body)

        assert notice.kind is NoticeKind.CHARGE_SUCCEEDED

    def test_of_a_repayment_says_so(self, provider: WechatProvider, letters: Letters) -> None:
        body = letters.sealed(
            order_json(bank_type="BPA", user_repaid="Y"), event="TRANSACTION.PAY_BACK"
        )

        (notice,) = provider.verify_notices(letters.headers(body), body)

        assert isinstance(notice.result, ChargeResult)
        assert (notice.kind, notice.result.advance) == (NoticeKind.PAYER_REPAID, Advance.REPAID)

    @pytest.mark.parametrize(
        ("state", "reason", "kind", "status"),
        [
            ("NORMAL", None, NoticeKind.AGREEMENT_SIGNED, AgreementStatus.ACTIVE),
            ("BLOCKED", "REMOVE", NoticeKind.AGREEMENT_CANCELLED, AgreementStatus.CANCELLED),
            ("BLOCKED", "PAUSE", None, None),
            ("BLOCKED", "OVERDUE", None, None),
        ],
    )
    async def test_of_a_plate_s_service_is_one_of_its_agreement(
        self,
        wechat_wire: Wire,
        letters: Letters,
        state: str,
        reason: str | None,
        kind: NoticeKind | None,
        status: AgreementStatus | None,
    ) -> None:
        wechat_wire.recorder.answer = parking(lambda: (200, order_json()))
        order = await wechat_wire.order()
        await wechat_wire.provider.charge(order)
        resource = {
            "sp_mchid": MERCHANT,
            "parking_id": "5K8264ILTKCH16CQ250",
            "out_parking_no": json.loads(wechat_wire.recorder.seen[0].body)["out_parking_no"],
            "plate_number": PLATE,
            "plate_color": "BLUE",
            "parking_state": state,
            "blocked_state_description": reason,
            "state_update_time": "2026-11-27T16:00:00.123+08:00",
        }
        body = letters.sealed(resource, event="VEHICLE.ENTRANCE_STATE_CHANGE")

        notices = wechat_wire.provider.verify_notices(letters.headers(body), body)

        assert [notice.kind for notice in notices] == ([] if kind is None else [kind])
        for notice in notices:
            assert isinstance(notice.result, AgreementState)
            assert notice.result.reference == order.agreement_reference
            assert notice.result.status is status

    def test_of_anything_else_is_genuine_and_empty(
        self, provider: WechatProvider, letters: Letters
    ) -> None:
        body = letters.sealed({"mchid": MERCHANT}, event="COUPON.USE")
        assert provider.verify_notices(letters.headers(body), body) == ()

    def test_that_tries_our_check_is_refused(
        self, provider: WechatProvider, letters: Letters
    ) -> None:
        body = letters.sealed(order_json())
        self._refused(
            provider, letters.headers(body, prefix="WECHATPAY/SIGNTEST/"), body, "signature"
        )

    @pytest.mark.parametrize("age_s", [301, -301])
    def test_of_another_time_is_refused(
        self, provider: WechatProvider, letters: Letters, age_s: int
    ) -> None:
        body = letters.sealed(order_json())
        self._refused(provider, letters.headers(body, age_s=age_s), body, "timestamp")

    @pytest.mark.parametrize("serial", ["PUB_KEY_ID_2", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"])
    def test_under_an_unknown_key_is_refused(
        self, provider: WechatProvider, letters: Letters, serial: str
    ) -> None:
        letters.serial = serial
        body = letters.sealed(order_json())
        self._refused(provider, letters.headers(body), body, "key")

    def test_signed_by_somebody_else_is_refused(
        self, provider: WechatProvider, wechat_keys: Keys
    ) -> None:
        letters = Letters(wechat_keys.ours)
        body = letters.sealed(order_json())
        self._refused(provider, letters.headers(body), body, "signature")

    @pytest.mark.parametrize(
        "change",
        [
            {"wechatpay-nonce": ""},
            {"wechatpay-serial": ""},
            {"wechatpay-signature": ""},
            {"wechatpay-signature": "x" * 5000},
            {"wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"},
            {"wechatpay-nonce": "a\nb"},
        ],
    )
    def test_with_a_header_amiss_is_refused(
        self, provider: WechatProvider, letters: Letters, change: dict[str, str]
    ) -> None:
        body = letters.sealed(order_json())
        headers = {name.lower(): text for name, text in letters.headers(body).items()}
        self._refused(provider, headers | change, body, "header")

    @pytest.mark.parametrize(
        "resource",
        [
            order_json(sp_mchid="1900000999"),
            order_json(sp_mchid=None),
            order_json(mchid="1900000999"),
            order_json(sub_mchid="1900000110"),
            order_json("PAY_FAIL"),
            order_json(amount=None),
            order_json(amount={"total": 0, "currency": "CNY"}),
            order_json(out_trade_no=None),
            [],
            b"\xff",
            b"",
        ],
    )
    def test_that_says_nothing_of_ours_is_refused(
        self, provider: WechatProvider, letters: Letters, resource: object
    ) -> None:
        body = letters.sealed(resource)
        self._refused(provider, letters.headers(body), body, "body")

    def test_sealed_under_another_key_is_refused(
        self, provider: WechatProvider, letters: Letters
    ) -> None:
        body = letters.sealed(order_json(), key="F" * 32)
        self._refused(provider, letters.headers(body), body, "body")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("algorithm", "AEAD_AES_128_GCM"),
            ("ciphertext", "not base64!"),
            ("ciphertext", "AAAA"),
            ("nonce", "short"),
            ("nonce", "fdasfjihihiX"),
            ("associated_data", "refund"),
        ],
    )
    def test_whose_envelope_is_amiss_is_refused(
        self, provider: WechatProvider, letters: Letters, field: str, value: str
    ) -> None:
        content = json.loads(letters.sealed(order_json()))
        content["resource"][field] = value
        body = json.dumps(content).encode()
        self._refused(provider, letters.headers(body), body, "body")

    @pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff\xfe", b"x" * 65_537])
    def test_that_is_no_envelope_is_refused(
        self, provider: WechatProvider, letters: Letters, body: bytes
    ) -> None:
        self._refused(provider, letters.headers(body), body, "body")

    def _refused(
        self, provider: WechatProvider, headers: dict[str, str], body: bytes, reason: str
    ) -> None:
        with pytest.raises(NoticeRefusedError) as caught:
            provider.verify_notices(headers, body)
        assert caught.value.reason == reason
