"""The environment that the processes of a data folder get."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sesame.embedded.folder import DataFolder
from sesame.embedded.stack import Endpoints
from sesame.installation import install
from sesame.process_spec import AnsweringUrl
from sesame.processes import application_processes
from sesame.settings import Settings
from sesame.wiring import receipt_signer

ENDPOINTS = Endpoints("postgresql://127.0.0.1/postgres", "redis://127.0.0.1/0")


def test_the_settings_find_everything_and_it_stays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = install(DataFolder(tmp_path), ENDPOINTS, given={})
    assert install(DataFolder(tmp_path), ENDPOINTS, given={}) == first
    for name, value in first.environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.require_database_url() == ENDPOINTS.database_url
    assert settings.require_redis_url() == ENDPOINTS.redis_url
    folder = DataFolder(tmp_path)
    assert settings.require_keys() == (
        folder.secret("field_key", 32),
        folder.secret("index_key", 32),
    )
    assert first.api_url == f"http://127.0.0.1:{settings.api_port}" == settings.public_url
    assert first.gates_url == f"http://127.0.0.1:{settings.gates_port}"
    assert settings.token_key_file is not None
    key = load_pem_private_key(settings.token_key_file.read_bytes(), password=None)
    assert isinstance(key, EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    signer = receipt_signer(settings)
    assert signer is not None
    assert len(signer.keys) == 1


def test_what_the_operator_sets_wins(tmp_path: Path) -> None:
    given = {
        "SESAME_API_PORT": "9000",
        "SESAME_PUBLIC_URL": "https://parking.example",
        "SESAME_GATES_PORT": "",
        "HOME": "/home/operator",
    }
    installation = install(DataFolder(tmp_path), ENDPOINTS, given=given)
    assert installation.api_url == "http://127.0.0.1:9000"
    assert installation.environment["SESAME_PUBLIC_URL"] == "https://parking.example"
    assert installation.environment["HOME"] == "/home/operator"
    assert installation.environment["SESAME_GATES_PORT"] != ""


def test_every_process_gets_the_same_environment(tmp_path: Path) -> None:
    installation = install(DataFolder(tmp_path), ENDPOINTS, given={})
    processes = application_processes(installation)
    assert [process.name for process in processes] == ["api", "gates", "recognizer", "worker"]
    assert [list(process.argv[1:]) for process in processes] == [
        ["-m", "sesame", "api"],
        ["-m", "sesame", "gates", "serve"],
        ["-m", "sesame", "recognizer"],
        ["-m", "sesame", "worker"],
    ]
    assert all(process.environment == installation.environment for process in processes)


def test_a_bridge_with_tls_is_asked_beside_its_listener(tmp_path: Path) -> None:
    given = {"SESAME_GATES_TLS_CERT": "bridge.pem", "SESAME_GATES_PORT": "8443"}
    installation = install(DataFolder(tmp_path), ENDPOINTS, given=given)
    port = installation.environment["SESAME_GATES_PROBE_PORT"]
    assert installation.gates_url == "https://127.0.0.1:8443"
    gates = next(spec for spec in application_processes(installation) if spec.name == "gates")
    # Its listener asks whoever comes for a certificate: nobody here has one.
    assert gates.ready == AnsweringUrl(f"http://127.0.0.1:{port}/readyz")
    own = given | {"SESAME_GATES_PROBE_PORT": "9000", "SESAME_GATES_PROBE_HOST": "10.0.0.1"}
    chosen = install(DataFolder(tmp_path), ENDPOINTS, given=own)
    assert chosen.gates_health_url == "http://10.0.0.1:9000"


def test_a_bridge_without_tls_needs_no_further_port(tmp_path: Path) -> None:
    installation = install(DataFolder(tmp_path), ENDPOINTS, given={})
    assert "SESAME_GATES_PROBE_PORT" not in installation.environment
    assert installation.gates_health_url == installation.gates_url
