"""The parts of the WeChat Pay adapter that need nothing but their arguments."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from parking.kit.errors import InvalidInputError
from parking.payments.providers.wechat import WechatSettings
from parking.payments.providers.wechat.agreements import OPENID_LENGTH_MAX, Services, colour_of
from parking.payments.providers.wechat.requests import clip
from parking.payments.providers.wechat.signature import PlatformKeys, Signer

API_KEY = "0123456789abcdef0123456789ABCDEF"
OPENID, PLATE = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "粤B12345"
SERVICES = Services(API_KEY)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - it is refused
CURVE = ec.generate_private_key(ec.SECP256R1())

numbers = st.text("0123456789abcdefXYZ", min_size=1, max_size=32)
openids = st.text("abcXYZ019_-", min_size=1, max_size=OPENID_LENGTH_MAX)
plates = st.sampled_from(["粤B12345", "京A88731", "沪AD12345", "沪A12345D", "苏E0K0K0"])


def private_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def public_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


class TestReference:
    @given(number=numbers, openid=openids, plate=plates, order=numbers)
    def test_finds_its_service_again_and_a_parking_names_it(
        self, number: str, openid: str, plate: str, order: str
    ) -> None:
        opened = SERVICES.open(number, openid, plate)
        assert opened is not None
        parking = opened.parking_number(order)

        assert SERVICES.find(opened.reference, plate) == opened
        assert SERVICES.of_parking(parking, plate) == opened
        assert parking == opened.parking_number(order)
        assert len(parking) <= 64
        assert plate not in opened.reference + parking

    def test_is_for_one_plate_and_one_authorization(self) -> None:
        opened = SERVICES.open("A1", OPENID, PLATE)
        again = SERVICES.open("A2", OPENID, PLATE)
        assert opened is not None
        assert again is not None
        assert opened.reference != again.reference
        assert SERVICES.find(opened.reference, "粤B12346") is None
        assert SERVICES.find(opened.reference, None) is None
        assert SERVICES.of_parking(opened.parking_number("O1"), "粤B12346") is None

    def test_means_nothing_under_another_key(self) -> None:
        opened = SERVICES.open("A1", OPENID, PLATE)
        assert opened is not None
        assert Services("f" * 32).find(opened.reference, PLATE) is None

    @pytest.mark.parametrize(
        ("openid", "plate"),
        [
            ("", PLATE),
            ("o" * (OPENID_LENGTH_MAX + 1), PLATE),
            ("a b", PLATE),
            ("o.1", PLATE),
            (OPENID, "M-AB 1234"),
            (OPENID, ""),
            (OPENID, "粤B1234"),
        ],
    )
    def test_is_not_made_of_what_wechat_does_not_take(self, openid: str, plate: str) -> None:
        assert SERVICES.open("A1", openid, plate) is None

    @pytest.mark.parametrize("reference", ["", "agr_nobody", f"{OPENID}.12", "x" * 500])
    def test_that_is_none_finds_nothing(self, reference: str) -> None:
        assert SERVICES.find(reference, PLATE) is None

    @pytest.mark.parametrize(
        ("plate", "colour"),
        [
            ("粤B12345", "BLUE"),
            ("京A88731", "BLUE"),
            ("沪AD12345", "GREEN"),
            ("沪A12345D", "LIMEGREEN"),
            ("B-MW 1234", None),
            ("沪A123456789", None),
        ],
    )
    def test_names_the_colour_that_the_format_says(self, plate: str, colour: str | None) -> None:
        assert colour_of(plate) == colour


@given(text=st.text(max_size=200), limit=st.integers(0, 200))
def test_what_is_clipped_is_whole_characters_of_the_beginning(text: str, limit: int) -> None:
    clipped = clip(text, limit)
    assert text.startswith(clipped)
    assert len(clipped.encode()) <= limit
    assert clipped == text or len(text[: len(clipped) + 1].encode()) > limit


class TestSettings:
    GOOD = WechatSettings(
        merchant="1900000109",
        app="wx1",
        key_pem="",
        key_serial="1",
        api_key=API_KEY,
        platform_keys_pem="",
        service_url="https://pay.example/parking",
        notice_url="https://api.example/callbacks/wechat",
    )

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"base_url": "http://api.mch.weixin.qq.com"}, "base_url"),
            ({"base_url": "ftp://127.0.0.1"}, "base_url"),
            ({"api_key": API_KEY[:-1]}, "api_key"),
            ({"api_key": "停" * 32}, "api_key"),
            ({"notice_url": "http://api.example/callbacks/wechat"}, "notice_url"),
            ({"notice_url": "https://api.example/callbacks/wechat?a=1"}, "notice_url"),
        ],
    )
    def test_of_no_use_is_refused_by_name(self, change: dict[str, str], field: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            replace(self.GOOD, **change)
        assert caught.value.field == field

    def test_shows_no_secret(self) -> None:
        assert API_KEY not in repr(self.GOOD)

    @pytest.mark.parametrize("pem", ["", "nonsense", private_pem(WEAK), private_pem(CURVE)])
    def test_key_must_be_rsa_and_strong(self, pem: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            Signer("1900000109", pem, "1")
        assert caught.value.field == "key"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "nonsense",
            public_pem(KEY),
            f"with spaces\n{public_pem(KEY)}",
            f"PUB_KEY_ID_1\n{public_pem(WEAK)}",
            f"PUB_KEY_ID_1\n{public_pem(CURVE)}",
            "PUB_KEY_ID_1\n-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "".join(f"PUB_KEY_ID_{i}\n{public_pem(KEY)}" for i in range(5)),
        ],
    )
    def test_platform_keys_must_be_rsa_strong_and_named(self, text: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            PlatformKeys(text)
        assert caught.value.field == "platform_keys"

    def test_first_platform_key_is_the_one_we_ask_for(self) -> None:
        text = "".join(f"PUB_KEY_ID_{i}\n\r\n{public_pem(KEY)}" for i in (7, 3))
        assert PlatformKeys(text).preferred == "PUB_KEY_ID_7"
