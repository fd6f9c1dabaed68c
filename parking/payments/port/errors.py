"""How a provider fails to open a page."""

from parking.kit.errors import ParkingError, UnavailableError


class ProviderUnavailableError(UnavailableError):
    """A page could not be obtained; asking again with the same number is safe."""

    code = "PAYMENT_PROVIDER_UNAVAILABLE"


class ProviderRefusedError(ParkingError):
    """The provider understood the call and said no; asking again changes nothing.

    Attributes:
        failure_code: The provider's reason, such as `NUMBER_CONFLICT`.
    """

    code = "PAYMENT_PROVIDER_REFUSED"

    def __init__(self, failure_code: str) -> None:
        super().__init__(f"the provider refused: {failure_code}")
        self.failure_code = failure_code
