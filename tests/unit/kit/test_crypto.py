import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.kit.crypto import SealBrokenError, Vault

VAULT = Vault(field_key=b"f" * 32, index_key=b"i" * 32)


@given(st.text(max_size=64))
def test_a_sealed_text_opens_and_never_looks_the_same(text: str) -> None:
    sealed = VAULT.seal(text, context="plate")
    assert VAULT.open(sealed, context="plate") == text
    assert VAULT.seal(text, context="plate") != sealed
    assert not text.encode() or text.encode() not in sealed or len(text) < 4


def test_another_context_key_or_byte_does_not_open() -> None:
    sealed = VAULT.seal("京A88731", context="plate")
    other = Vault(field_key=b"g" * 32, index_key=b"i" * 32)
    altered = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for vault, value, context in (
        (VAULT, sealed, "phone"),
        (other, sealed, "plate"),
        (VAULT, altered, "plate"),
        (VAULT, b"", "plate"),
        (VAULT, b"\x02" + sealed[1:], "plate"),
        (VAULT, sealed[:5], "plate"),
    ):
        with pytest.raises(SealBrokenError):
            vault.open(value, context=context)


def test_blind_index_is_stable_keyed_and_separate_by_kind() -> None:
    index = VAULT.blind_index("plate", "京A88731")
    assert index == VAULT.blind_index("plate", "京A88731")
    assert index.version == 8
    assert index != VAULT.blind_index("phone", "京A88731")
    assert index != VAULT.blind_index("plate", "京A88732")
    other = Vault(field_key=b"f" * 32, index_key=b"j" * 32)
    assert index != other.blind_index("plate", "京A88731")


def test_short_or_equal_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="field_key: expected 32 bytes, got 31"):
        Vault(field_key=b"f" * 31, index_key=b"i" * 32)
    with pytest.raises(ValueError, match="differs from field_key"):
        Vault(field_key=b"f" * 32, index_key=b"f" * 32)
