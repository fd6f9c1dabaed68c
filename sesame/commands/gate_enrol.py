"""`sesame gates enrol`, `revoke` and `certificates`: who a gate is, and who is no more."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import typer
from cryptography.hazmat.primitives.asymmetric import ec

from gate_bridge.agent.credentials import write_private
from parking.flows import gate_identity
from parking.flows.context import ParkingContext
from parking.gates.authority import issue_server, pem_of, private_pem
from parking.gates.models import GateCertificate
from parking.kit.errors import InvalidInputError
from sesame.settings import Settings
from sesame.wiring import open_context

SERVER_FILE: Final = "bridge.pem"
SERVER_KEY_FILE: Final = "bridge.key"
AUTHORITY_FILE: Final = "authority.pem"

ResultT = TypeVar("ResultT")

ByOption = Annotated[str, typer.Option(help="Your name; kept with what you do.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

certificates_app = typer.Typer(
    invoke_without_command=True,
    add_completion=False,
    help="List certificates of gates, or make the bridge's.",
)


def enrol_command(
    lane: Annotated[UUID, typer.Option(help="The lane's id.")],
    by: ByOption,
    *,
    hours: Annotated[int, typer.Option(min=1, help="How long the token may be used.")] = 24,
    json_output: JsonOption = False,
) -> None:
    """Print a one-time token that brings a lane's gate agent its certificate."""
    settings = Settings()
    opened = _run(
        settings,
        lambda context: gate_identity.open_enrolment(context, lane, by, timedelta(hours=hours)),
    )
    url = settings.public_url.rstrip("/")
    # In one line, short enough for a QR code that an installer scans at the gate.
    line = f"sesame-gate-enrolment:{url}?lane={lane}&token={opened.token}"
    if json_output:
        report = {
            "lane_id": str(lane),
            "token": opened.token,
            "expires_at": opened.expires_at.isoformat(),
            "url": url,
            "line": line,
        }
        typer.echo(json.dumps(report))
        return
    typer.echo(f"token    {opened.token}")
    typer.echo(f"until    {opened.expires_at:%Y-%m-%d %H:%M} UTC, once")
    typer.echo(f"at the gate: sesame gate-agent enrol --url {url} --lane {lane}")
    typer.echo("             --token-file FILE --out DIRECTORY")
    typer.echo(line)


def revoke_command(
    by: ByOption,
    reason: Annotated[str, typer.Option(help="Why; kept for ever.")],
    *,
    lane: Annotated[
        UUID | None, typer.Option(help="Every certificate and unused token of this lane.")
    ] = None,
    serial: Annotated[
        str | None, typer.Option(help="This certificate, and what was renewed from it.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Shut a gate out: its certificates are refused, and its open connection ends."""
    if (lane is None) == (serial is None):
        raise InvalidInputError("lane", "either --lane or --serial")
    settings = Settings()
    if lane is not None:
        revoked = _run(settings, lambda to: gate_identity.revoke_lane(to, lane, by, reason))
    else:
        certificate_id = read_serial(serial or "")
        revoked = _run(
            settings, lambda to: gate_identity.revoke_serial(to, certificate_id, by, reason)
        )
    report = {
        "lane_id": str(revoked.lane_id),
        "certificates": revoked.certificates,
        "tokens": revoked.tokens,
    }
    if json_output:
        typer.echo(json.dumps(report))
    else:
        typer.echo(
            f"lane {revoked.lane_id}: {revoked.certificates} certificates revoked, "
            f"{revoked.tokens} unused tokens withdrawn"
        )


@certificates_app.callback()
def certificates_command(
    context: typer.Context,
    *,
    lane: Annotated[UUID | None, typer.Option(help="Of this lane only.")] = None,
    json_output: JsonOption = False,
) -> None:
    """List the certificates of gates, newest first."""
    if context.invoked_subcommand is not None:
        return
    settings = Settings()
    found = _run(settings, lambda to: gate_identity.certificates(to, lane))
    if json_output:
        typer.echo(json.dumps({"certificates": [_report(row) for row in found]}))
        return
    for row in found:
        state = f"revoked by {row.revoked_by}: {row.revoked_reason}" if row.revoked_at else "stands"
        typer.echo(f"{row.id.hex}  lane {row.lane_id}  until {row.not_after:%Y-%m-%d}  {state}")


@certificates_app.command("server")
def server_command(
    host: Annotated[
        list[str], typer.Option(help="Name or address by which gates reach the bridge; repeatable.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to; created if missing.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Write a certificate for the bridge's listener, its key, and the authority to trust."""
    settings = Settings()

    async def make(context: ParkingContext) -> dict[str, str]:
        authority = await gate_identity.authority(context)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = issue_server(authority, key.public_key(), host, context.clock.now())
        return {
            SERVER_KEY_FILE: private_pem(key),
            SERVER_FILE: pem_of(certificate),
            AUTHORITY_FILE: authority.trusted_pem(),
        }

    files = _run(settings, make)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_private(out / name, content.encode("ascii"))
    written = {
        "SESAME_GATES_TLS_CERT": str(out / SERVER_FILE),
        "SESAME_GATES_TLS_KEY": str(out / SERVER_KEY_FILE),
        "authority": str(out / AUTHORITY_FILE),
    }
    if json_output:
        typer.echo(json.dumps(written))
        return
    for name, value in written.items():
        typer.echo(f"{name}={value}")


def read_serial(text: str) -> UUID:
    """Return the certificate of a serial number, in hexadecimal as OpenSSL prints it.

    Raises:
        InvalidInputError: it is none.
    """
    digits = text.replace(":", "").removeprefix("0x")
    try:
        return UUID(int=int(digits, 16))
    except ValueError as error:
        raise InvalidInputError("serial", "hexadecimal digits") from error


def _run(settings: Settings, work: Callable[[ParkingContext], Awaitable[ResultT]]) -> ResultT:
    async def run() -> ResultT:
        async with open_context(settings) as context:
            return await work(context)

    return asyncio.run(run())


def _report(row: GateCertificate) -> dict[str, Any]:
    revoked_at = row.revoked_at
    return {
        "serial": row.id.hex,
        "lane_id": str(row.lane_id),
        "operator_id": str(row.operator_id),
        "not_before": row.not_before.isoformat(),
        "not_after": row.not_after.isoformat(),
        "replaces": None if row.replaces_id is None else row.replaces_id.hex,
        "revoked_at": None if revoked_at is None else revoked_at.isoformat(),
        "revoked_by": row.revoked_by,
        "revoked_reason": row.revoked_reason,
    }
