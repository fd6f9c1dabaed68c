"""The files of the listener for gates: which one is wrong is said before it listens."""

from pathlib import Path

import pytest

from gate_bridge.tls import listener_tls
from parking.kit.errors import InvalidInputError
from tests.factories.tls_files import Authority


@pytest.mark.parametrize(
    ("certificate", "key", "field", "named"),
    [
        ("nowhere.pem", "bridge.key", "tls.certificate", "nowhere.pem"),
        ("bridge.pem", "nowhere.key", "tls.key", "nowhere.key"),
        ("bridge.pem", ".", "tls.key", "directory"),
        ("junk.pem", "bridge.key", "tls.certificate", "junk.pem"),
        ("bridge.pem", "junk.pem", "tls.certificate", "junk.pem"),
        ("bridge.pem", "other.key", "tls.certificate", "other.key"),
    ],
)
def test_the_file_that_is_wrong_is_named(
    tmp_path: Path, certificate: str, key: str, field: str, named: str
) -> None:
    authority = Authority(tmp_path, "authority")
    authority.issue("bridge")
    authority.issue("other")
    (tmp_path / "junk.pem").write_text("junk\n")
    with pytest.raises(InvalidInputError) as raised:
        listener_tls(tmp_path / certificate, tmp_path / key, authority.file.read_text())
    assert raised.value.field == field
    assert named in raised.value.expected


def test_the_right_files_ask_gates_for_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("bridge")
    context = listener_tls(certificate, key, authority.file.read_text())
    assert context.verify_mode.name == "CERT_REQUIRED"
