"""`sesame gate-agent --site`: real cameras and barriers, as a file describes them."""

import asyncio
import json
import os
from pathlib import Path

import typer

from gate_bridge.agent.reports import Report, Reporter
from gate_bridge.agent.service_notice import ServiceNotice
from gate_bridge.loops import stop_task
from parking.kit.clock import SystemClock
from sesame.commands.ending import stop_on_signals


def serve_site(path: Path, report: Reporter) -> None:
    """Serve a site until a signal ends it.

    Raises:
        InvalidInputError: naming the table and the key.
        JournalBusyError: another process serves the site.
    """
    # Drivers, relays and the HTTP server: nothing that a simulated lane needs.
    from gate_bridge.agent.site.host import SiteHost  # noqa: PLC0415
    from gate_bridge.agent.site.site_file import read_site  # noqa: PLC0415
    from sesame.http_connection import BoundedConnection  # noqa: PLC0415

    notice = ServiceNotice.of(os.environ)

    def tell(record: Report) -> None:
        if record["event"] == "site_runs":
            notice.ready()
        report(record)

    async def run() -> None:
        stop, site = stop_on_signals(), read_site(path)
        beating = asyncio.create_task(notice.run())
        try:
            await SiteHost(site, BoundedConnection, SystemClock(), tell).run(stop)
        finally:
            notice.stopping()
            await stop_task(beating)

    asyncio.run(run())


def check_site_file(path: Path, *, json_output: bool) -> None:
    """Look through a site file and say what it sets up; nothing is connected or opened.

    Raises:
        InvalidInputError: naming the table and the key.
    """
    from gate_bridge.agent.site.description import describe  # noqa: PLC0415
    from gate_bridge.agent.site.host import check_site  # noqa: PLC0415
    from gate_bridge.agent.site.site_file import read_site  # noqa: PLC0415

    site = read_site(path)
    check_site(site, SystemClock())
    lines = describe(site)
    report: Report = {"event": "site_checked", "site": site.name, "lines": lines}
    typer.echo(json.dumps(report, ensure_ascii=False) if json_output else "\n".join(lines))
