"""What every payment stand-in shares; a stand-in adds nothing but its wire.

How to build one:

1. `open_platform(PlatformOptions(...), clock)` opens the SQLite file. `store.secret(name, make)`
   keeps keys, `store.remember_nonce` refuses a second use, `store.transaction()` joins writes.
2. Write Starlette routes: verify the raw request, take a `platform.turn(operation, agreement)`,
   answer `BrokenConnection()` if `turn.is_lost_before`, work on `platform.agreements`,
   `platform.orders` and `platform.chargebacks` (what only your wire knows goes in `extra`) with
   `turn.outcome`, then `platform.poke()` and `return await turn.finish(answer)`. Scenarios of the
   answer itself (`unknown`, `wrong_amount`, `bad_answer_signature`) are played by the wire.
3. Write a `NoticeWire`: `render` signs or encrypts one stored notice when it is posted (`is_probe`:
   badly; `age_s`: with an old timestamp), `judge` says what the merchant's answer means.
4. `settlement_lines` gives a day's movements, with the differences that were asked for.
5. `create_app(platform, wire, routes=..., actions=...)` adds `/confirm/{token}`, `/pay/{token}`,
   `/_control`, `/_books` and the courier. The acquirer next door is the example.
"""

from sesame.sandbox.platform.agreements import AgreementBook, NewAgreement
from sesame.sandbox.platform.app import PlatformOptions, create_app, open_platform
from sesame.sandbox.platform.chargebacks import ChargebackBook
from sesame.sandbox.platform.control import Action
from sesame.sandbox.platform.courier import RETRY_MS, Delivery, NoticeWire, RenderedNotice, Verdict
from sesame.sandbox.platform.errors import NotFoundError, NumberConflictError
from sesame.sandbox.platform.notices import NoticeBook, PendingNotice
from sesame.sandbox.platform.orders import ORDER, REFUND, NewOrder, OrderBook
from sesame.sandbox.platform.outcomes import PAGE_LIFETIME_MS, Outcome, unpaid_checkout
from sesame.sandbox.platform.parts import Platform
from sesame.sandbox.platform.scenarios import Operation, Rule, Scenario, Script
from sesame.sandbox.platform.settlement import SettlementLine, settlement_lines
from sesame.sandbox.platform.shown import agreement_json, order_json
from sesame.sandbox.platform.store import Json, Store, instant
from sesame.sandbox.platform.turns import BrokenConnection, Turn

__all__ = [
    "ORDER",
    "PAGE_LIFETIME_MS",
    "REFUND",
    "RETRY_MS",
    "Action",
    "AgreementBook",
    "BrokenConnection",
    "ChargebackBook",
    "Delivery",
    "Json",
    "NewAgreement",
    "NewOrder",
    "NotFoundError",
    "NoticeBook",
    "NoticeWire",
    "NumberConflictError",
    "Operation",
    "OrderBook",
    "Outcome",
    "PendingNotice",
    "Platform",
    "PlatformOptions",
    "RenderedNotice",
    "Rule",
    "Scenario",
    "Script",
    "SettlementLine",
    "Store",
    "Turn",
    "Verdict",
    "agreement_json",
    "create_app",
    "instant",
    "open_platform",
    "order_json",
    "settlement_lines",
    "unpaid_checkout",
]
