"""How the HTTP server tells the listener whose certificate a device showed."""

from collections.abc import Mapping
from typing import Any, Final

CLIENT_NAMES: Final = "sesame.client_names"
"""The ASGI extension of a request whose sender showed a certificate."""
_NAMED: Final = frozenset({"commonName", "DNS"})


def client_names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the common name and the DNS names of a certificate, as the standard library has it."""
    if not certificate:
        return frozenset()
    subject = [pair for group in certificate.get("subject", ()) for pair in group]
    pairs = [*subject, *certificate.get("subjectAltName", ())]
    return frozenset(str(name) for kind, name in pairs if kind in _NAMED)


def names_in(scope: Mapping[str, Any]) -> frozenset[str]:
    """Return the names that a request's scope tells; none where no certificate was shown."""
    extensions: Mapping[str, Any] = scope.get("extensions") or {}
    told: Mapping[str, frozenset[str]] = extensions.get(CLIENT_NAMES) or {}
    return told.get("names", frozenset())
