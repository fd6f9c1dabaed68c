"""What the watchers ask for."""

from typing import Final

PATH: Final = "/graphql"
PROTOCOL: Final = "graphql-transport-ws"

STAY: Final = """
subscription Stay($id: ID!) {
  sessionUpdated(sessionId: $id) {
    ... on SessionUpdate {
      reason version event
      session {
        id plate enteredAt state place { name timezone }
        bill { due { amountMinor } nextChangeAt lines { reason startsAt amount { amountMinor } } }
      }
    }
    ... on Refusal { code }
  }
}
"""
ROOM: Final = """
subscription Room($id: ID!) {
  availabilityChanged(placeId: $id) {
    ... on AvailabilityUpdate { asOf areas { name spaces free isFull } }
    ... on Refusal { code }
  }
}
"""
