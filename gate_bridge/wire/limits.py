"""Every limit of the gate wire, in one place."""

from dataclasses import dataclass

SUBPROTOCOL = "sesame.gate.v1"
SUBPROTOCOLS = (SUBPROTOCOL,)
"""The versions of the wire that this end speaks, the newest first."""
PATH_PREFIX = "/gates/"

CALL_ID_CHARACTERS_MAX = 64
FRAME_HEADER_BYTES_MAX = 4096
SEQ_MAX = 2**53 - 1  # The largest integer that every JSON reader keeps exactly.

TIMES_APART_S_MAX = 300.0  # Between a time and the one inside its id.
LIVE_S_MAX = 300.0  # From the bridge's clock; what is further off leads to no decision.

TTL_MS_MIN = 100
TTL_MS_MAX = 60_000

ALTERNATIVES_MAX = 10  # Of one read; as many as the domain keeps.

QUEUE_DEPTH_MAX = 10_000_000
CLOCK_OFFSET_MS_MAX = 2**31 - 1  # About 25 days; a clock that is further off says just that.
DEVICES_MAX = 32

CERTIFICATE_REQUEST_CHARACTERS_MAX = 12_000
CERTIFICATE_CHARACTERS_MAX = 8_000
AUTHORITIES_MAX = 5

DISPLAY_LINES_MAX = 6
DISPLAY_LINE_CHARACTERS_MAX = 80
DISPLAY_QR_CHARACTERS_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """What one end of a connection accepts from the other.

    Attributes:
        text_bytes_max: Largest text message; a larger one closes the connection with 1009.
        image_bytes_max: Largest picture of one Frame; a larger one is answered with TooLarge.
        calls_in_flight_max: Calls of the peer that may be unanswered at one time.
        calls_per_s: Sustained rate of calls, without frames.
        calls_burst: Calls that may come at once after a quiet time.
        frames_per_s: Sustained rate of frames; parking cameras need 4 to 5.
        frames_burst: Frames that may come at once after a quiet time.
        frame_bytes_per_s: Sustained bytes of pictures of one lane, over all of its connections.
        frame_bytes_burst: Bytes of pictures that may come at once after a quiet time; at least one
            picture of the largest size must fit.
        malformed_max: Messages without a readable call after which the connection is closed.
        hello_timeout_s: Time from the upgrade to Hello.
        heartbeat_interval_s: Time between two heartbeats of an agent.
        reply_timeout_s: Time a peer has for answering a call.
        ping_interval_s: Time between two WebSocket pings of an agent, silence after which a bridge
            sends one, and the time a pong may take.
        policy_first_s: Longest time from Hello to the first word of the offline policy.
        policy_every_s: Longest time between two words of it.
        policy_parts_per_s: Sustained rate of parts of it, over all connections of a lane.
        policy_parts_burst: Parts that may be fetched at once after a quiet time; a whole policy
            must fit several times, as it may be replaced while it is fetched.
    """

    text_bytes_max: int = 64 * 1024
    image_bytes_max: int = 4 * 1024 * 1024
    calls_in_flight_max: int = 32
    calls_per_s: float = 200.0
    calls_burst: int = 400
    frames_per_s: float = 10.0
    frames_burst: int = 20
    frame_bytes_per_s: float = 4.0 * 1024 * 1024
    frame_bytes_burst: int = 20 * 1024 * 1024
    malformed_max: int = 10
    hello_timeout_s: float = 5.0
    heartbeat_interval_s: float = 10.0
    reply_timeout_s: float = 5.0
    ping_interval_s: float = 20.0
    policy_first_s: float = 4.0
    policy_every_s: float = 300.0
    policy_parts_per_s: float = 2.0
    policy_parts_burst: int = 200

    @property
    def message_bytes_max(self) -> int:
        """Return the size that the WebSocket layer itself refuses beyond, with 1009.

        A picture somewhat over its limit still gets an answer that names it.
        """
        return max(self.text_bytes_max, self.image_bytes_max + FRAME_HEADER_BYTES_MAX) * 2
