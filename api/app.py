"""The HTTP application, put together from the domain's surroundings."""

import asyncio
from functools import partial

import structlog
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from api import correlation
from api.account_export import PATH as EXPORT_PATH
from api.account_export import AccountExportEndpoint
from api.application import Application
from api.callbacks import CallbackEndpoint
from api.config import CORS_MAX_AGE_S, READINESS_TIMEOUT_S, ApiConfig
from api.draining import Drain
from api.gate_enrolment import PATH as ENROL_PATH
from api.gate_enrolment import GateEnrolmentEndpoint
from api.graphql.engine import Engine
from api.graphql.http import GraphQLEndpoint
from api.graphql.websocket import SocketEndpoint
from api.headers import SecurityHeaders
from api.invoice_files import InvoiceFileEndpoint
from api.licence_pictures import PATH as LICENCES_PATH
from api.licence_pictures import UploadEndpoint
from api.limits import RateLimiter
from api.metrics import Metrics
from api.pages import owed
from api.pages.endpoint import PayEndpoint, home
from api.receipt_files import RECEIPT_KEYS_PATH, ReceiptFileEndpoint, receipt_keys
from api.request import open_context
from api.schema import make_schema
from api.staff import licence_pictures as staff_licences
from api.staff import pictures
from api.staff.passkeys import PasskeyEndpoint
from api.staff.schema import make_staff_schema
from api.staff.sign_in import SignInEndpoint
from api.surroundings import Surround
from api.text_status import PATH as TEXT_STATUS_PATH
from api.text_status import TextStatusEndpoint
from parking.flows import health
from parking.flows.context import ParkingContext

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def create_app(context: ParkingContext, config: ApiConfig) -> Application:
    """Return the application; the caller closes the context after it."""
    open_request = partial(open_context, parking=context, config=config)
    is_open = config.development
    limiter = RateLimiter(context.bus.buckets, context.clock, config.rates)
    engine = Engine(
        make_schema(development=is_open),
        development=is_open,
        manifest=config.trusted_manifest,
        trusted_only=config.trusted_only,
        charge=limiter.charge_driver,
    )
    staff_engine = Engine(
        make_staff_schema(development=is_open), development=is_open, charge=limiter.charge_staff
    )
    drivers = GraphQLEndpoint(engine, open_request, takes_get=is_open)
    staff = GraphQLEndpoint(staff_engine, open_request, takes_get=is_open)
    drain = Drain()
    sockets = SocketEndpoint(engine, open_request, drain)
    metrics = Metrics()
    metrics.sockets.set_function(lambda: sockets.places.sockets)
    graphql_routes = [
        _graphql_route("/graphql", drivers, config),
        _graphql_route("/staff/graphql", staff, config),
    ]
    routes = [
        *graphql_routes,
        *_staff_routes(context, config),
        Route(LICENCES_PATH, UploadEndpoint(context, config).answer, methods=["POST"]),
        Route(
            TEXT_STATUS_PATH,
            TextStatusEndpoint(context, config.twilio_auth_token).answer,
            methods=["POST"],
        ),
        Route("/callbacks/{provider}", CallbackEndpoint(context).answer, methods=["POST"]),
        Route(ENROL_PATH, GateEnrolmentEndpoint(context).answer, methods=["POST"]),
        *_pages_and_files(context, config),
        Route("/healthz", _healthz),
        Route("/readyz", partial(_readyz, context, drain)),
        Route("/metrics", metrics.serve),
    ]
    headers = SecurityHeaders(is_https=context.public_url.startswith("https:"))
    app = Application(
        sockets,
        routes=routes,
        middleware=[
            Middleware(
                Surround,
                metrics=metrics,
                routes=routes,
                headers=headers,
                direct={route.path: route.app for route in graphql_routes},
            ),
        ],
        exception_handlers={Exception: _defect},
    )
    # It would send whoever adds a slash to the host that they name, with the secret in the path.
    app.router.redirect_slashes = False
    app.state.drain = drain
    return app


def _pages_and_files(context: ParkingContext, config: ApiConfig) -> list[Route]:
    receipts = ReceiptFileEndpoint(context, config)
    return [
        Route("/", home),
        Route("/pay/{token}", PayEndpoint(context).answer, methods=["GET", "POST"]),
        Route(owed.PATH, owed.OwedPayEndpoint(context).answer, methods=["POST"]),
        Route(EXPORT_PATH, AccountExportEndpoint(context, config).answer),
        Route("/invoices/{name}", InvoiceFileEndpoint(context, config).answer),
        Route("/pay/{token}/receipts/{number}", receipts.of_link),
        Route("/receipts/{bill}", receipts.of_driver),
        Route(RECEIPT_KEYS_PATH, partial(receipt_keys, context)),
    ]


def _graphql_route(path: str, endpoint: GraphQLEndpoint, config: ApiConfig) -> Route:
    if not config.cors_origins:
        return Route(path, endpoint, methods=endpoint.methods)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=config.cors_origins,
        allow_methods=endpoint.methods,
        allow_headers=("authorization", "content-type", correlation.HEADER),
        expose_headers=("retry-after", correlation.HEADER),
        # The token is a header of its own: no page of another site has it.
        allow_credentials=False,
        max_age=CORS_MAX_AGE_S,
    )
    return Route(path, endpoint, methods=[*endpoint.methods, "OPTIONS"], middleware=[cors])


def _staff_routes(context: ParkingContext, config: ApiConfig) -> list[Route]:
    sign_in = SignInEndpoint(context, config)
    return [
        Route(pictures.PATH, pictures.PictureEndpoint(context, config).answer),
        Route(staff_licences.PATH, staff_licences.LicencePictureEndpoint(context, config).answer),
        *sign_in.routes(),
        *PasskeyEndpoint(context, config, sign_in).routes(),
    ]


async def _healthz(request: Request) -> Response:
    _ = request
    return PlainTextResponse("ok")


async def _readyz(context: ParkingContext, drain: Drain, request: Request) -> Response:
    _ = request
    if drain.has_begun:
        return JSONResponse({"ready": False, "reason": "draining"}, 503)
    try:
        async with asyncio.timeout(READINESS_TIMEOUT_S):
            found = await health.check(context)
    except TimeoutError:
        return JSONResponse({"ready": False, "reason": "timeout"}, 503)
    body = {"ready": found.is_ready, "database": found.database, "valkey": found.valkey}
    return JSONResponse(body, 200 if found.is_ready else 503)


async def _defect(request: Request, error: Exception) -> Response:
    # Starlette raises the error again after this answer, so that the server logs it too. What
    # follows the first part of a path may be the secret that opens a bill.
    found, area = correlation.correlation_id(request.scope), request.url.path.split("/")[1]
    _log.error("http.failed", area=area, correlation_id=found, exc_info=error)
    body = {"code": "INTERNAL", "correlationId": found}
    return JSONResponse(body, 500, headers={correlation.HEADER: found})
