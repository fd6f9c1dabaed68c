"""`/invoices/{name}.pdf` and `.xml`: a signed link, or an invoice's id with a bearer token."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from api.config import ApiConfig
from api.global_ids import decode_id
from api.request import open_context
from api.staff.file_gate import admit
from api.staff.permissions import INVOICE_FILES
from api.types.invoice import INVOICE_KIND
from parking.flows.context import ParkingContext
from parking.flows.invoices import invoice_files
from parking.flows.invoices.invoice_files import FileKind, InvoiceFile
from parking.flows.invoices.invoice_link import read_link_token
from parking.invoices.errors import InvoiceUnknownError
from parking.kit.errors import InvalidInputError, ParkingError, UnavailableError
from parking.kit.token_errors import TokenExpiredError, TokenRefusedError
from parking.staff.errors import StaffForbiddenError

RENDERED_AT_ONCE_MAX: Final = 2
_ACTION: Final = "invoiceFile"
_MEDIA_TYPES: Final = {FileKind.PDF: "application/pdf", FileKind.XML: "application/xml"}


class InvoiceFileEndpoint:
    """Hands out files to their driver, to the operator's staff, and to holders of a link."""

    def __init__(self, parking: ParkingContext, config: ApiConfig) -> None:
        self._parking = parking
        self._config = config
        self._places = asyncio.Semaphore(RENDERED_AT_ONCE_MAX)

    async def answer(self, request: Request) -> Response:
        """Answer with the file; 404 for everything that is not the asker's."""
        name, _, extension = str(request.path_params["name"]).rpartition(".")
        try:
            file = await self._open(request, name, FileKind(extension))
        except (TokenRefusedError, TokenExpiredError) as error:
            return _problem(401, error)
        except StaffForbiddenError as error:
            return _problem(403, error)
        except (ValueError, InvoiceUnknownError, InvalidInputError):
            return _problem(404, InvoiceUnknownError())
        except UnavailableError as error:
            return _problem(503, error)
        if file.content is None:
            return RedirectResponse(file.url or "/", 303)
        return Response(
            file.content,
            media_type=_MEDIA_TYPES[FileKind(extension)],
            headers={"content-disposition": f'attachment; filename="{file.name}"'},
        )

    async def _open(self, request: Request, name: str, kind: FileKind) -> InvoiceFile:
        async with self._places:
            try:
                key = read_link_token(self._parking.vault, name, self._parking.clock.now())
            except InvoiceUnknownError:
                if "authorization" not in request.headers:
                    raise
                return await self._open_with_token(request, name, kind)
            # A link opens for whoever has it, also for an app that sends its token with everything.
            return await invoice_files.open_file(self._parking, *key, kind)

    async def _open_with_token(self, request: Request, name: str, kind: FileKind) -> InvoiceFile:
        invoice_id = decode_id(name, kind=INVOICE_KIND, field="id")
        context = open_context(request, self._parking, self._config)
        try:
            driver_id = await context.driver_id()
        except TokenRefusedError:
            # Not a driver's: then it must be a staff token, which opens its operator's invoices.
            staff = await admit(context, INVOICE_FILES, _ACTION, name)
            return await invoice_files.open_file(self._parking, staff.operator_id, invoice_id, kind)
        return await invoice_files.open_of_driver(self._parking, driver_id, invoice_id, kind)


def _problem(status: int, error: ParkingError) -> Response:
    return JSONResponse({"code": error.code}, status)
