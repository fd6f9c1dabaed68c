"""How WeChat Pay says no."""

from sesame.sandbox.platform import Json


class ApiError(Exception):
    """A signed refusal."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message}
