"""Who pays, where only the provider's own app can tell."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class PayerFinder(Protocol):
    """What an adapter can do besides, if its traits name `PayerDevice.APP`."""

    def payer_page(self, return_url: str, state: str) -> str:
        """Return an address that sends the payer on to `return_url` with `code` and `state`.

        Args:
            return_url: Without a query.
            state: Up to 128 letters and digits, to come back as they are.
        """
        ...

    async def find_payer(self, code: str) -> str:
        """Return the provider's name for whoever brought the code, which is good for once.

        Raises:
            ProviderUnavailableError: no trustworthy answer came.
            ProviderRefusedError: the code is none, is too old, or was used.
        """
        ...
