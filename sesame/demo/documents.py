"""What the driver's app asks the API."""

from typing import Final

_REFUSALS: Final = """
    ... on InvalidInput { code message }
    ... on Refused { code message }
"""
_HELD: Final = "id state bills { id total { amountMinor currency } }"
_PARTNERSHIP_CHANGED: Final = "... on PartnershipChanged { partnership { state } }"
_SESSION: Final = """
    id plate state version enteredAt leftAt
    place { name currency }
    bill {
      asOf nextChangeAt
      total { amountMinor currency } paid { amountMinor } due { amountMinor }
      lines { reason amount { amountMinor } }
    }
"""


def _mutation(name: str, result: str, given: str | None = None) -> str:
    kind = given or name[0].upper() + name[1:]
    return f"""
mutation ($input: {kind}Input!) {{
  {name}(input: $input) {{ __typename {result} {_REFUSALS} }}
}}"""


REQUEST_CODE: Final = _mutation("requestSignInCode", "... on SignInCodeSent { requestId }")
SIGN_IN: Final = _mutation("signIn", "... on SignedIn { accessToken refreshToken }")
REQUEST_CONFIRMATION: Final = _mutation(
    "requestConfirmationCode", "... on ConfirmationCodeSent { requestId }"
)
CONFIRM_CODE: Final = _mutation("confirmWithCode", "... on Confirmed { confirmedUntil }")
REFRESH: Final = _mutation("refreshSignIn", "... on SignedIn { accessToken refreshToken }")
REGISTER_DEVICE: Final = _mutation("registerDevice", "... on DeviceRegistered { deviceId }")
BIND_PLATE: Final = _mutation("bindPlate", "... on PlateClaimed { claim { id text } }")
CONFIRM_PLATE: Final = _mutation("confirmPlateBinding", "... on PlateBound { plate { id text } }")
AUTHORIZE: Final = _mutation(
    "authorizePasswordFree",
    "... on PasswordFreeStarted { mandate { id confirmationUrl terms { sentences digest } } }",
)
CONFIRM_TERMS: Final = _mutation(
    "confirmPasswordFree", "... on PasswordFreeConfirmed { mandate { id state } }"
)
REVOKE: Final = _mutation("revokePasswordFree", "... on PasswordFreeRevoked { mandate { id } }")
ORDER_ACCOUNTS: Final = _mutation(
    "orderPasswordFree", "... on PasswordFreeOrdered { mandates { id } }"
)
ACKNOWLEDGE: Final = _mutation(
    "acknowledgeNotifications", "... on NotificationsAcknowledged { unacknowledgedCount }"
)
INBOX: Final = """
query {
  viewer {
    notifications(first: 20) { edges { node { id template title subjectId acknowledgedAt } } }
  }
}"""
PAY_OWED: Final = _mutation("payOwed", "... on OwedPaid { status amount { amountMinor currency } }")

BUY_PASS: Final = f"""
mutation ($input: PurchasePassInput!, $key: String!) {{
  purchasePass(input: $input, idempotencyKey: $key) {{
    __typename
    ... on PassPurchased {{ pass {{ id state bills {{ id total {{ amountMinor currency }} }} }} }}
    {_REFUSALS}
  }}
}}"""
REQUEST_INVOICE: Final = _mutation(
    "requestInvoice",
    "... on InvoiceRequested { invoice { number pdfUrl gross { amountMinor currency } } }",
)
DISPUTE_BILL: Final = _mutation("disputeBill", "... on BillDisputed { dispute { id state } }")
# What staff do.
SELL_PASS: Final = _mutation("createPassProduct", "... on PassProductStored { product { id } }")
SET_SELLER: Final = _mutation(
    "setInvoiceSeller", "... on InvoiceSellerSet { seller { legalName } }"
)
SET_CREDIT: Final = _mutation("setCreditPolicy", "... on CreditPolicySet { policy { currency } }")
PROPOSE_PARTNER: Final = _mutation("proposePartnership", _PARTNERSHIP_CHANGED, "Partner")
ACCEPT_PARTNER: Final = _mutation("acceptPartnership", _PARTNERSHIP_CHANGED, "Partner")
SETTLE_PARTNER: Final = _mutation(
    "settlePartner", "... on PartnerSettled { settlement { amount { amountMinor currency } } }"
)
RESOLVE_DISPUTE: Final = _mutation(
    "resolveDispute", "... on DisputeResolved { dispute { state refunded { amountMinor } } }"
)

PARTNERSHIPS: Final = """
query { partnerships { partnerId partnerName state owedToUs { amountMinor currency } } }"""

CHARGEBACKS: Final = """
query ($status: StaffChargebackStatus!) {
  chargebacks(status: $status) { nodes { billId provider } }
}"""

OWED: Final = """
query {
  viewer {
    owed { billId sessionId isBeingPaid amount { amountMinor currency } }
    credit { operatorName used { amountMinor currency } limit { amountMinor currency } }
  }
}"""

OFFERED_PASSES: Final = """
query ($placeId: ID!, $day: Date!) {
  passProducts(placeId: $placeId) {
    id name firstPrice(startsOn: $day) { amountMinor currency }
  }
}"""

VIEWER: Final = f"""
query {{
  viewer {{
    plates {{ id text }}
    mandates {{ id state provider }}
    passes {{ {_HELD} }}
    activeSessions {{ {_SESSION} }}
  }}
}}"""

SESSION: Final = f"""
query ($id: ID!) {{ node(id: $id) {{ ... on Session {{ {_SESSION} }} }} }}"""

SESSION_BILLS: Final = """
query ($id: ID!) {
  node(id: $id) {
    ... on Session {
      bills {
        id version state total { amountMinor currency }
        lines { reason note amount { amountMinor } }
      }
    }
  }
}"""

VERIFY_BILL: Final = """
query ($billId: ID!) {
  verifyBill(billId: $billId) { verified firstProblem { words } checks { name ok } }
}"""

SESSION_UPDATED: Final = f"""
subscription ($sessionId: ID!) {{
  sessionUpdated(sessionId: $sessionId) {{
    __typename
    ... on SessionUpdate {{ reason version event session {{ {_SESSION} }} }}
    {_REFUSALS}
  }}
}}"""
