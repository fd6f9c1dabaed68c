"""What the driver's app asks the API."""

from typing import Final

_REFUSALS: Final = """
    ... on InvalidInput { code message }
    ... on Refused { code message }
"""
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
UNBIND_PLATE: Final = _mutation("unbindPlate", "... on PlateUnbound { plateId }")
AUTHORIZE: Final = _mutation(
    "authorizePasswordFree", "... on PasswordFreeStarted { mandate { id confirmationUrl } }"
)

VIEWER: Final = f"""
query {{
  viewer {{
    plates {{ id text }}
    mandates {{ id state }}
    activeSessions {{ {_SESSION} }}
  }}
}}"""

SESSION: Final = f"""
query ($id: ID!) {{ node(id: $id) {{ ... on Session {{ {_SESSION} }} }} }}"""

SESSION_UPDATED: Final = f"""
subscription ($sessionId: ID!) {{
  sessionUpdated(sessionId: $sessionId) {{
    __typename
    ... on SessionUpdate {{ reason version event session {{ {_SESSION} }} }}
    {_REFUSALS}
  }}
}}"""
