"""What the API is told besides the domain's surroundings, and every limit that it keeps."""

from dataclasses import dataclass, field
from typing import Final

from api.shared import Shared
from parking.drivers.firebase_port import FirebaseVerifier, NullFirebaseVerifier
from parking.drivers.port import SmsSender
from parking.drivers.texting import SmsPolicy
from parking.drivers.web_push import WebPushTerms
from parking.kit.tokens import TokenIssuer
from parking.staff.provider import OidcProvider

BODY_BYTES_MAX: Final = 64 * 1024
BODY_TIMEOUT_S: Final = 10.0
QUERY_TOKENS_MAX: Final = 1000
QUERY_DEPTH_MAX: Final = 10
QUERY_ALIASES_MAX: Final = 15
QUERY_NESTING_MAX: Final = 80
QUERY_DIRECTIVES_MAX: Final = 30
QUERY_REPEATS_MAX: Final = 20
QUERY_FIELDS_MAX: Final = 3000
# See api.document_cost.
OPERATION_POINTS_MAX: Final = 20_000
# Besides: of every operation, and of a document that is not known, whose length counts, too.
REQUEST_POINTS: Final = 1
READ_POINTS: Final = 10
READ_CHARACTERS_PER_POINT: Final = 10
# graphql-core's own rules may repeat one complaint for each of a thousand fields.
ERRORS_MAX: Final = 5
DOCUMENTS_CACHED_MAX: Final = 256
DOCUMENTS_CACHED_BYTES_MAX: Final = 64 * 1024 * 1024
TRUSTED_DOCUMENTS_MAX: Final = 5000
TRUSTED_DOCUMENTS_BYTES_MAX: Final = 16 * 1024 * 1024
DOCUMENT_ID_LENGTH_MAX: Final = 128
OPERATION_TIMEOUT_S: Final = 20.0
READINESS_TIMEOUT_S: Final = 2.0
CORS_MAX_AGE_S: Final = 3600
# Below it an answer fits into one packet anyway; above the other it would hold up others.
COMPRESSED_BYTES_MIN: Final = 1400
COMPRESSED_AT_ONCE_BYTES_MAX: Final = 128 * 1024

SOCKETS_MAX: Final = 10_000
# Of all: a socket that has not said whose it is costs its opener nothing.
SOCKETS_UNACKNOWLEDGED_MAX: Final = 1000
# After a restart every phone behind one carrier's address comes back at once.
SOCKETS_UNACKNOWLEDGED_PER_ADDRESS_MAX: Final = 50
SOCKETS_PER_DRIVER_MAX: Final = 10
SUBSCRIPTIONS_PER_SOCKET_MAX: Final = 20
SOCKET_MESSAGE_BYTES_MAX: Final = BODY_BYTES_MAX
CONNECTION_INIT_TIMEOUT_S: Final = 3
PING_INTERVAL_S: Final = 20.0
# Of a client, from one of our pings to the next: each may bring a payload that we send back.
PINGS_MAX: Final = 40
# Pub/sub may lose a poke: a subscription looks by itself this often.
SUBSCRIPTION_LOOK_S: Final = 20.0
SUBSCRIPTION_RETRY_S: Final = 1.0
# After a restart of Valkey every subscription reads again: queries must still get connections.
SUBSCRIPTION_READS_AT_ONCE_MAX: Final = 2

PAGE_SIZE: Final = 20
PAGE_SIZE_MAX: Final = 100
RECEIPTS_PER_OPERATION_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket of points.

    Attributes:
        points_max: What a full one holds.
        points_per_s: What is filled in each second.
    """

    points_max: int
    points_per_s: int


@dataclass(frozen=True, slots=True)
class Rates:
    """The buckets that are kept.

    Attributes:
        person: A driver's, or a staff member's.
        address: Of those who are nobody: an IPv4 address, or an IPv6 /64. Behind one of a carrier
            are a thousand phones.
    """

    person: Rate = Rate(20_000, 200)
    address: Rate = Rate(40_000, 1000)


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """What the process puts into the API.

    Attributes:
        sms_policy: To whom, and how many; for codes.
        web_push: What browsers subscribe with; None where nothing is pushed to them.
        twilio_auth_token: Signs what Twilio tells of text messages; None where it tells nothing.
        development: Introspection, suggestions and GET on; never in production.
        trusted_manifest: Drivers' trusted documents, as they are in their file.
        trusted_only: Whether drivers' apps may send no other documents.
        staff_provider: Where the operator's staff sign in; None where there is none.
        rates: How much everybody may ask for.
        cors_origins: Whose pages may call from a browser, such as `https://app.example`.
        shared: What subscriptions of this process have in common.
    """

    tokens: TokenIssuer
    sms: SmsSender
    firebase: FirebaseVerifier = field(default_factory=NullFirebaseVerifier)
    sms_policy: SmsPolicy = field(default_factory=SmsPolicy)
    twilio_auth_token: str | None = field(default=None, repr=False)
    web_push: WebPushTerms | None = None
    development: bool = False
    trusted_manifest: bytes | None = field(default=None, repr=False)
    trusted_only: bool = False
    staff_provider: OidcProvider | None = None
    rates: Rates = field(default_factory=Rates)
    cors_origins: tuple[str, ...] = ()
    shared: Shared = field(default_factory=Shared)
