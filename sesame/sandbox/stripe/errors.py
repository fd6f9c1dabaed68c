"""How Stripe refuses: one error object, and a status that its client libraries go by."""

from sesame.sandbox.platform import Json


class StripeRefusedError(Exception):
    """A call that is answered with an error.

    Attributes:
        status: The HTTP status.
        error: The error object.
    """

    def __init__(self, status: int, error: Json) -> None:
        super().__init__(error["message"])
        self.status = status
        self.error = error


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> Exception:
    """Return the refusal of a call that cannot be right."""
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": param}
    return StripeRefusedError(400, error)


def missing(kind: str, identity: str, *, param: str, status: int = 404) -> Exception:
    """Return the refusal of an id that is nobody's."""
    error = {
        "type": "invalid_request_error",
        "code": "resource_missing",
        "message": f"No such {kind}: '{identity}'",
        "param": param,
    }
    return StripeRefusedError(status, error)
