"""The tariff bench on a real database: open stays that nobody watches are never read."""

from tests.integration.test_bench import bench


async def test_no_periodic_task_reads_an_open_stay_and_a_watched_one_is_one_row() -> None:
    code, report = await bench("tariff", "--json", "--open-stays", "3000")
    assert (code, report["is_right"]) == (0, True)
    standing = report["open_stays"]
    assert (standing["open_stays"], standing["rows_read_by_tasks"]) == (3000, 0)
    assert standing["rows_read_per_watched"] == 1
    assert {"partitions", "payment sweep", "mandate sweep"} <= set(standing["tasks_ms"])
