"""What the driver's app asks the API."""

from typing import Final

_REFUSALS: Final = """
    ... on InvalidInput { code message }
    ... on Refused { code message }
"""
_HELD: Final = "id state bills { id total { amountMinor currency } }"
_SESSION: Final = """
    id plate state version enteredAt leftAt
    place { name currency }
    bill {
      asOf nextChangeAt
      total { amountMinor currency } paid { amountMinor } due { amountMinor }
      lines { reason amount { amountMinor } }
    }
"""


def _mutation(name: str, result: str) -> str:
    kind = name[0].upper() + name[1:]
    return f"""
mutation ($input: {kind}Input!) {{
  {name}(input: $input) {{ __typename {result} {_REFUSALS} }}
}}"""


REQUEST_CODE: Final = _mutation("requestSignInCode", "... on SignInCodeSent { requestId }")
SIGN_IN: Final = _mutation("signIn", "... on SignedIn { accessToken refreshToken }")
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

BUY_PASS: Final = _mutation(
    "purchasePass",
    "... on PassPurchased { pass { id state bills { id total { amountMinor currency } } } }",
)
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
RESOLVE_DISPUTE: Final = _mutation(
    "resolveDispute", "... on DisputeResolved { dispute { state refunded { amountMinor } } }"
)

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
    mandates {{ id state }}
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
