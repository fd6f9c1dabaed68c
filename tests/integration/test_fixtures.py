"""The fixtures that every other integration test stands on."""

from tests.servers import execute, fetch_value, valkey_client


async def test_each_database_is_a_copy_of_the_template(
    database_url: str, database_template: str
) -> None:
    name = str(await fetch_value(database_url, "SELECT current_database()"))
    await execute(database_url, "CREATE TABLE left_behind (id integer)")
    assert name.startswith("sesame_test_")
    assert name != database_template


async def test_nothing_of_another_test_is_in_the_database(database_url: str) -> None:
    assert await fetch_value(database_url, "SELECT to_regclass('left_behind')::text") is None


def test_valkey_is_empty_and_speaks(valkey_url: str) -> None:
    with valkey_client(valkey_url) as client:
        assert client.dbsize() == 0
        assert client.set("left_behind", "1") is True


def test_valkey_is_empty_again(valkey_url: str) -> None:
    with valkey_client(valkey_url) as client:
        assert client.dbsize() == 0
