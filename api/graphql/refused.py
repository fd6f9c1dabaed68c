"""Why an operation was not executed."""

from collections.abc import Sequence

from graphql import GraphQLError


class RequestRefusedError(Exception):
    """The request is not one that we serve.

    Args:
        status: Of HTTP, whatever media type the client takes.
        code: Stable; clients switch on it.
        message: For developers.
        retry_after_s: When the same request may be answered.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s

    def as_error(self) -> GraphQLError:
        """Return it as GraphQL tells of it."""
        extensions: dict[str, object] = {"code": self.code}
        if self.retry_after_s is not None:
            extensions["retryAfterS"] = self.retry_after_s
        return GraphQLError(str(self), extensions=extensions)


class DocumentRefusedError(Exception):
    """The document cannot be executed: HTTP answers 400, or 200 to a client of the older type."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = tuple(errors)
