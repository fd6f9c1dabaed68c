"""ACS3-HMAC-SHA256: how requests to Alibaba Cloud are signed (signature V3)."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

ALGORITHM: Final = "ACS3-HMAC-SHA256"
_UNRESERVED: Final = "-_.~"


def query_of(parameters: Mapping[str, str]) -> str:
    """Return the query as it is sent and signed: sorted, percent-encoded as RFC 3986 does."""
    parts = (f"{_quoted(name)}={_quoted(parameters[name])}" for name in sorted(parameters))
    return "&".join(parts)


def authorization(
    key_id: str, secret: str, *, query: str, headers: Mapping[str, str], method: str = "POST"
) -> str:
    """Return the header `Authorization` of a request to the path `/`.

    Args:
        key_id: The access key's id.
        secret: Its secret.
        query: As `query_of` returns it.
        headers: All that are signed, by lower-case name; `x-acs-content-sha256` is one of them.
        method: Of HTTP.
    """
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    request = f"{method}\n/\n{query}\n{lines}\n{names}\n{headers['x-acs-content-sha256']}"
    told = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), told.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}"


def _quoted(text: str) -> str:
    return quote(text, safe=_UNRESERVED)
