"""Staff see their own operator's differences, and resolve each once."""

from typing import Any
from uuid import uuid4

from api.global_ids import encode_id
from tests.factories.api import ApiWorld
from tests.factories.settlement_days import store_difference

PATH = "/staff/graphql"
FIELDS = "id provider code meaning advice number reference ours { amountMinor } theirs { amountMinor currency } billId state resolvedBy note"  # noqa: E501
LIST = f"query List($state: ReconciliationDifferenceState! = OPEN, $first: Int! = 20, $after: String) {{ reconciliationDifferences(state: $state, first: $first, after: $after) {{ nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"  # noqa: E501
RUNS = "{ reconciliations { nodes { provider timezone differences isProvisional totals { movement } openings { reason cars } } pageInfo { hasNextPage } } }"  # noqa: E501
RESOLVE = f"mutation Resolve($id: ID!, $note: String!) {{ resolveDifference(input: {{differenceId: $id, note: $note}}) {{ __typename ... on DifferenceResolved {{ difference {{ {FIELDS} }} }} ... on Refusal {{ code }} ... on InvalidInput {{ field }} }} }}"  # noqa: E501


async def do(api: ApiWorld, query: str, token: str, **variables: Any) -> Any:  # noqa: ANN401 - JSON
    data = await api.ask(query, variables, token=token, path=PATH)
    return next(iter(data.values()))


async def test_staff_see_and_resolve_their_own_differences(api: ApiWorld) -> None:
    numbers = ("a" * 32, "b" * 32)
    ids = [await store_difference(api.lanes, number=number) for number in numbers]
    own, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    eve, _ = api.tokens.issue_staff(uuid4(), "Eve")

    listed = await do(api, LIST, own)
    # The second run did not find the first one's difference any more.
    [open_one] = listed["nodes"]
    assert (open_one["number"], open_one["code"]) == (numbers[1], "missing_in_books")
    assert open_one["theirs"] == {"amountMinor": 700, "currency": "CNY"}
    assert (open_one["ours"], open_one["billId"], open_one["note"]) == (None, None, None)
    assert open_one["advice"].startswith("Find out who sent it")
    [gone] = (await do(api, LIST, own, state="GONE"))["nodes"]
    assert gone["number"] == numbers[0]
    runs = (await do(api, RUNS, own))["nodes"]
    assert [run["differences"] for run in runs] == [1, 1]
    assert runs[0]["openings"] == [{"reason": "paid", "cars": 1}]

    assert (await do(api, LIST, eve))["nodes"] == []
    assert (await do(api, RUNS, eve))["nodes"] == []
    for token, note in ((eve, "mine now"), (own, "")):
        refused = await do(api, RESOLVE, token, id=open_one["id"], note=note)
        assert refused in (
            {"__typename": "Refused", "code": "DIFFERENCE_UNKNOWN"},
            {"__typename": "InvalidInput", "code": "INVALID_INPUT", "field": "note"},
        )
    nobodys = encode_id("ReconciliationDifference", uuid4())
    refused = await do(api, RESOLVE, own, id=nobodys, note="x")
    assert refused["code"] == "DIFFERENCE_UNKNOWN"
    assert [one["id"] for one in (await do(api, LIST, own))["nodes"]] == [open_one["id"]]

    for _ in range(2):
        outcome = await do(api, RESOLVE, own, id=open_one["id"], note="Given back by hand")
        resolved = outcome["difference"]
        assert (resolved["state"], resolved["note"]) == ("RESOLVED", "Given back by hand")
        assert resolved["resolvedBy"] == f"{api.lanes.entry.operator_id}:Ada"
    bob, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Bob")
    refused = await do(api, RESOLVE, bob, id=open_one["id"], note="Given back by hand")
    assert refused == {"__typename": "Refused", "code": "DIFFERENCE_CLOSED"}
    assert (await do(api, LIST, own))["nodes"] == []
    assert ids[0] != ids[1]
