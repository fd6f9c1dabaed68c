"""The form of a message, as strict as FCM is about the parts that we use."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

DATA_BYTES_MAX = 4096
COLLAPSE_ID_BYTES_MAX = 64
_RESERVED_PREFIXES = ("google", "gcm")
_RESERVED_KEYS = frozenset({"from", "message_type"})


class _Form(BaseModel):
    """Unknown fields are refused, as FCM does; values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Notification(_Form):
    """What the system's tray shows."""

    title: Annotated[str, Field(min_length=1)]
    body: Annotated[str, Field(min_length=1)]
    image: str | None = None


class AndroidNotification(_Form):
    """The tray, on Android."""

    tag: str | None = None
    channel_id: str | None = None
    click_action: str | None = None
    sound: str | None = None


class Android(_Form):
    """Delivery to Android."""

    collapse_key: str | None = None
    priority: Literal["high", "normal"] | None = None
    ttl: Annotated[str, Field(pattern=r"^\d+(\.\d{1,9})?s$")] | None = None
    notification: AndroidNotification | None = None


def _collapse_id_fits(headers: dict[str, str]) -> dict[str, str]:
    if len(headers.get("apns-collapse-id", "").encode()) > COLLAPSE_ID_BYTES_MAX:
        raise ValueError(f"apns-collapse-id: at most {COLLAPSE_ID_BYTES_MAX} bytes")
    return headers


class Apns(_Form):
    """Delivery through Apple."""

    headers: Annotated[dict[str, str], AfterValidator(_collapse_id_fits)] = Field(
        default_factory=dict[str, str]
    )
    payload: dict[str, Any] = Field(default_factory=dict[str, Any])

    @model_validator(mode="after")
    def _has_aps(self) -> Self:
        if self.payload and not isinstance(self.payload.get("aps"), dict):
            raise ValueError("payload: expected `aps`")
        return self


def _data_is_permitted(data: dict[str, str]) -> dict[str, str]:
    for key in data:
        if key in _RESERVED_KEYS or key.startswith(_RESERVED_PREFIXES):
            raise ValueError(f"data: {key} is reserved")
    if sum(len(key.encode()) + len(value.encode()) for key, value in data.items()) > DATA_BYTES_MAX:
        raise ValueError(f"data: at most {DATA_BYTES_MAX} bytes")
    return data


class Message(_Form):
    """One message to one device."""

    token: Annotated[str, Field(min_length=1)] | None = None
    fid: Annotated[str, Field(min_length=1)] | None = None
    notification: Notification
    data: Annotated[dict[str, str], AfterValidator(_data_is_permitted)] = Field(
        default_factory=dict[str, str]
    )
    android: Android | None = None
    apns: Apns | None = None

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        if (self.token is None) == (self.fid is None):
            raise ValueError("message: expected exactly one of token and fid")
        return self

    @property
    def target(self) -> str:
        """Where it goes."""
        return self.token or self.fid or ""


class SendRequest(_Form):
    """The body of `messages:send`."""

    message: Message
    validate_only: bool = False
