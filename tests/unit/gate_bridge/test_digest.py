import hashlib
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_bridge.drivers import digest
from gate_bridge.drivers.digest import (
    NONCE_S_MAX,
    DigestAccount,
    DigestAlgorithm,
    DigestAnswer,
    DigestChecker,
    DigestRequest,
    is_empty,
    username_of,
)

TARGET = "/devices/cam1/NotificationInfo/TollgateInfo"
ACCOUNT = DigestAccount("cam1", "s3cret")


class Device:
    """Answers challenges with its own few lines, so that nothing is shared with what it tests."""

    def __init__(self, checker: DigestChecker, algorithm: DigestAlgorithm) -> None:
        self.checker = checker
        self.algorithm = algorithm
        self.renew()

    def renew(self) -> None:
        header = self.checker.challenge(self.algorithm)
        (self.nonce,) = re.findall(r'nonce="([^"]+)"', header)

    def proof(self, count: int = 1, **changes: str) -> str:
        values = {
            "username": "cam1", "password": "s3cret", "realm": "sesame", "nonce": self.nonce,
            "uri": TARGET, "method": "POST", "qop": "auth", "nc": f"{count:08x}",
            "cnonce": "c0ffee", "algorithm": str(self.algorithm),
        } | changes  # fmt: skip
        hashed = hashlib.md5 if self.algorithm is DigestAlgorithm.MD5 else hashlib.sha256

        def of(*parts: str) -> str:
            return hashed(":".join(parts).encode()).hexdigest()

        middle = [values[name] for name in ("nonce", "nc", "cnonce", "qop") if values[name]]
        response = of(
            of(values["username"], values["realm"], values["password"]),
            *(middle if values["qop"] else middle[:1]),
            of(values["method"], values["uri"]),
        )
        shown = {
            name: value
            for name, value in values.items()
            if value and name not in {"password", "method"}
        }
        shown["response"] = changes.get("response", response)
        return "Digest " + ", ".join(f'{name}="{value}"' for name, value in shown.items())

    def answer(self, count: int = 1, **changes: str) -> DigestAnswer:
        return self.check(self.proof(count, **changes))

    def check(self, proof: str) -> DigestAnswer:
        return self.checker.check(
            DigestRequest("POST", TARGET, proof), replace(ACCOUNT, algorithm=self.algorithm)
        )


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture(params=list(DigestAlgorithm))
def device(request: pytest.FixtureRequest, seconds: Seconds) -> Device:
    return Device(DigestChecker(seconds=seconds), request.param)


def test_the_right_password(device: Device) -> None:
    assert device.answer() is DigestAnswer.RIGHT
    assert device.answer(2) is DigestAnswer.RIGHT


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "bad"},
        {"username": "cam2"},
        {"uri": "/devices/cam2/NotificationInfo/TollgateInfo"},
        {"uri": TARGET + "?x"},
        {"uri": "http://[" + TARGET},
        {"method": "GET"},
        {"realm": "other"},
        {"qop": "auth-int"},
        {"nc": "1"},
        {"nc": "00000000"},
        {"nc": "0000000g"},
        {"nc": ""},
        {"algorithm": "MD5-sess"},
        {"response": ""},
        {"response": "0" * 32},
    ],
)
def test_a_wrong_answer(device: Device, changes: dict[str, str]) -> None:
    assert device.check(device.proof(1, **changes)) is DigestAnswer.WRONG
    # Nothing was noted of it: the right one is still the first.
    assert device.answer() is DigestAnswer.RIGHT


def test_an_answer_is_taken_once(device: Device) -> None:
    proof = device.proof()
    assert [device.check(proof) for _ in range(3)] == [
        DigestAnswer.RIGHT,
        DigestAnswer.STALE,
        DigestAnswer.STALE,
    ]


def test_a_proof_is_not_taken_again_as_one_without_qop(device: Device) -> None:
    proof = device.proof()
    assert device.check(proof) is DigestAnswer.RIGHT

    (response,) = re.findall(r'response="([^"]+)"', proof)
    # Whoever heard the first proof has all of this, and knows no password.
    again = device.proof(
        nonce=f"{device.nonce}:00000001:c0ffee:auth",
        qop="", nc="", cnonce="", password="unknown", response=response,
    )  # fmt: skip
    assert "qop" not in again

    assert device.check(again) is DigestAnswer.STALE


@pytest.mark.parametrize("after", [":", "=", "!", " ", "\n", "AAAA"])
def test_a_nonce_is_taken_as_it_was_given_out_only(device: Device, after: str) -> None:
    assert device.answer(nonce=f"{device.nonce}{after}") is not DigestAnswer.RIGHT
    assert device.answer(nonce=f"{device.nonce[:8]}!{device.nonce[8:]}") is not DigestAnswer.RIGHT


def test_requests_may_overtake_each_other_but_not_come_twice(device: Device) -> None:
    counts = [3, 1, 2, 70, 5, 6, 4]
    assert [device.answer(count) for count in counts] == [
        DigestAnswer.RIGHT,
        DigestAnswer.RIGHT,
        DigestAnswer.RIGHT,
        DigestAnswer.RIGHT,
        DigestAnswer.STALE,  # 65 behind the highest: nobody knows any more.
        DigestAnswer.RIGHT,
        DigestAnswer.STALE,
    ]
    assert {device.answer(count) for count in (*counts, 70)} == {DigestAnswer.STALE}


@given(st.lists(st.integers(1, 200), max_size=60))
def test_no_count_is_ever_taken_twice(counts: list[int]) -> None:
    device = Device(DigestChecker(), DigestAlgorithm.MD5)
    taken = [count for count in counts if device.answer(count) is DigestAnswer.RIGHT]
    assert len(taken) == len(set(taken))
    if counts:
        assert max(counts) in taken


def test_a_nonce_grows_old(device: Device, seconds: Seconds) -> None:
    assert device.answer() is DigestAnswer.RIGHT
    seconds.now += NONCE_S_MAX
    assert device.answer(2) is DigestAnswer.RIGHT
    seconds.now += 0.001
    assert device.answer(3) is DigestAnswer.STALE
    assert device.answer(3, password="bad") is DigestAnswer.WRONG
    device.renew()
    assert device.answer() is DigestAnswer.RIGHT


def test_a_nonce_of_another_process_is_stale_and_not_wrong(device: Device) -> None:
    for nonce in (Device(DigestChecker(), device.algorithm).nonce, "abc", "QUJD", "é"):
        assert device.answer(nonce=nonce) is DigestAnswer.STALE


def test_an_old_firmware_without_qop_gets_one_request_for_a_nonce(device: Device) -> None:
    assert device.answer(qop="", nc="", cnonce="") is DigestAnswer.RIGHT
    assert device.answer(qop="", nc="", cnonce="") is DigestAnswer.STALE


def test_the_whole_address_is_taken_for_the_path(device: Device) -> None:
    assert device.answer(uri=f"http://10.0.0.1:8090{TARGET}") is DigestAnswer.RIGHT


def test_a_dahua_camera_asks_with_an_empty_answer_first(device: Device) -> None:
    empty = f'Digest username="cam1", realm="", nonce="", uri="{TARGET}", qop="", response=""'
    assert device.check(empty) is DigestAnswer.WRONG
    assert username_of(empty) == "cam1"
    assert is_empty(empty)
    assert not is_empty(device.proof())
    assert not is_empty("Basic x")
    assert device.answer() is DigestAnswer.RIGHT


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Digest",
        "Digest ",
        "Basic Y2FtMTpzM2NyZXQ=",
        'Digest username="cam1"',
        "Digest " + "a" * 9999,
    ],
)
def test_what_is_no_answer(device: Device, header: str) -> None:
    assert device.check(header) is DigestAnswer.WRONG


@pytest.mark.parametrize("filler", ["a", "a ", "a=", 'a="', "a-", "= ", "a\t"])
def test_a_header_that_says_nothing_is_wrong(device: Device, filler: str) -> None:
    # Letters alone took 60 ms each, in which no lane's barrier was heard.
    for _ in range(20):
        assert device.check("Digest " + filler * (2040 // len(filler))) is DigestAnswer.WRONG


def test_a_name_is_a_word_of_its_own(device: Device) -> None:
    proof = device.proof()
    assert username_of(proof) == "cam1"
    assert username_of(proof.replace("username", "no-username")) == ""


def test_a_proof_is_of_the_name_that_it_states(device: Device) -> None:
    proof = device.proof().replace('username="cam1"', 'username="cam2"')
    assert device.check(proof) is DigestAnswer.WRONG


def test_a_name_that_comes_twice_is_refused(device: Device) -> None:
    assert device.check(device.proof() + ', username="cam1"') is DigestAnswer.WRONG


def test_what_is_kept_is_bounded_and_what_is_forgotten_is_not_taken_again(
    seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest, "NONCES_MAX", 3)
    checker = DigestChecker(seconds=seconds)
    devices = [Device(checker, DigestAlgorithm.MD5)]
    for _ in range(4):
        seconds.now += 1
        devices.append(Device(checker, DigestAlgorithm.MD5))
    assert [device.answer() for device in devices] == [DigestAnswer.RIGHT] * 5
    assert [device.answer() for device in devices] == [DigestAnswer.STALE] * 5
    # The first two made room: their next requests need a new nonce, the others' do not.
    assert [device.answer(2) for device in devices] == [
        DigestAnswer.STALE,
        DigestAnswer.STALE,
        DigestAnswer.RIGHT,
        DigestAnswer.RIGHT,
        DigestAnswer.RIGHT,
    ]


def test_a_challenge_says_what_is_offered() -> None:
    checker = DigestChecker()
    assert re.sub(r'nonce="[\w=-]{40,}"', 'nonce=""', checker.challenge(DigestAlgorithm.MD5)) == (
        'Digest realm="sesame", qop="auth", algorithm=MD5, nonce="", stale=false'
    )
    again = checker.challenge(DigestAlgorithm.SHA_256, is_stale=True)
    assert "algorithm=SHA-256," in again
    assert again.endswith("stale=true")


@given(st.text(max_size=200), st.text(max_size=50))
def test_garbage_is_wrong(header: str, target: str) -> None:
    checker = DigestChecker()
    for authorization in (header, "Digest " + header, f'Digest uri="{target}", response={header}'):
        request = DigestRequest("POST", target, authorization)
        assert checker.check(request, ACCOUNT) is DigestAnswer.WRONG
