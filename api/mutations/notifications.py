"""What the app says of notifications, and how a driver wants to be told."""

from datetime import time
from typing import Annotated
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of, refusable
from api.global_ids import decode_id, encode_id
from api.request import Info
from api.types.notification import NOTIFICATION_KIND, NotificationPreferences
from parking.flows.notices import inbox
from parking.flows.notices.wording import LOCALES
from parking.kit.errors import InvalidInputError
from parking.notices import preferences, quiet_hours
from parking.notices.rules import NoticeCategory, NoticeChannel


@strawberry.type(description="The notifications are noted as seen.")
class NotificationsAcknowledged:
    """The notifications are noted as seen."""

    unacknowledged_count: int = strawberry.field(description="How many are left in your inbox.")


@strawberry.type(description="The push is noted as received; its notification is still unread.")
class PushAcknowledged:
    """The push is noted as received."""

    notification_id: strawberry.ID = strawberry.field(description="For `node`.")


@strawberry.type(description="The choice is kept.")
class NotificationPreferencesSet:
    """The choice is kept."""

    notification_preferences: NotificationPreferences


@strawberry.type(description="Messages come in this language from now on.")
class LanguageSet:
    """Messages come in this language from now on."""

    locale: str


@strawberry.input
class AcknowledgeNotificationsInput:
    """What the driver has seen."""

    ids: list[strawberry.ID] = strawberry.field(description="1 to 100 of your notifications.")


@strawberry.input
class AcknowledgePushInput:
    """Which push a device has."""

    delivery_id: str = strawberry.field(description="`delivery_id` of the push's data, as it is.")


@strawberry.input
class SetNotificationPreferenceInput:
    """Whether notifications of a category come by a channel."""

    category: NoticeCategory
    channel: NoticeChannel
    is_on: bool


@strawberry.input
class SetQuietHoursInput:
    """When to be left alone; without the times, never."""

    starts_at: time | None = strawberry.field(default=None, description="Such as `22:00:00`.")
    ends_at: time | None = strawberry.field(
        default=None, description="The next day's, where it is before the start."
    )
    timezone: str | None = strawberry.field(
        default=None, description="An IANA name such as `Asia/Shanghai`: yours, not a place's."
    )


@strawberry.input
class SetLanguageInput:
    """In which language to be written to."""

    locale: str = strawberry.field(description="`en`, `de` or `zh`.")


@refusable
async def acknowledge_notifications(
    info: Info, given: Annotated[AcknowledgeNotificationsInput, Given]
) -> NotificationsAcknowledged:
    """Note that notifications were seen."""
    driver_id = await info.context.driver_id()
    keys = [decode_id(each, kind=NOTIFICATION_KIND, field="ids") for each in given.ids]
    left = await inbox.acknowledge(info.context.parking, driver_id, list(dict.fromkeys(keys)))
    return NotificationsAcknowledged(unacknowledged_count=left)


@refusable
async def acknowledge_push(
    info: Info, given: Annotated[AcknowledgePushInput, Given]
) -> PushAcknowledged:
    """Note that a device has a push."""
    driver_id = await info.context.driver_id()
    try:
        key = UUID(given.delivery_id)
    except ValueError as error:
        raise InvalidInputError("delivery_id", "the `delivery_id` of a push's data") from error
    notice_id = await inbox.acknowledge_push(info.context.parking, driver_id, key)
    return PushAcknowledged(notification_id=encode_id(NOTIFICATION_KIND, notice_id))


@refusable
async def set_notification_preference(
    info: Info, given: Annotated[SetNotificationPreferenceInput, Given]
) -> NotificationPreferencesSet:
    """Switch a channel on or off for a category."""
    driver_id = await info.context.driver_id()
    async with info.context.parking.database.begin() as unit:
        book = await preferences.set_preference(
            unit, driver_id, given.category, given.channel, is_on=given.is_on
        )
    return NotificationPreferencesSet(notification_preferences=NotificationPreferences.of(book))


@refusable
async def set_quiet_hours(
    info: Info, given: Annotated[SetQuietHoursInput, Given]
) -> NotificationPreferencesSet:
    """Set when to leave the driver alone."""
    driver_id = await info.context.driver_id()
    async with info.context.parking.database.begin() as unit:
        book = await preferences.set_quiet_hours(unit, driver_id, _hours(given))
    return NotificationPreferencesSet(notification_preferences=NotificationPreferences.of(book))


@refusable
async def set_language(info: Info, given: Annotated[SetLanguageInput, Given]) -> LanguageSet:
    """Write to the driver in another language."""
    driver_id = await info.context.driver_id()
    if given.locale not in LOCALES:
        raise InvalidInputError("locale", f"one of {', '.join(LOCALES)}")
    await inbox.set_locale(info.context.parking, driver_id, given.locale)
    return LanguageSet(locale=given.locale)


def _hours(given: SetQuietHoursInput) -> quiet_hours.QuietHours | None:
    if given.starts_at is None and given.ends_at is None and given.timezone is None:
        return None
    if given.starts_at is None:
        raise InvalidInputError("starts_at", "a time, as there is an end or a zone")
    if given.ends_at is None:
        raise InvalidInputError("ends_at", "a time, as there is a start")
    if given.timezone is None:
        raise InvalidInputError("timezone", "an IANA name, as there are times")
    return quiet_hours.QuietHours(given.starts_at, given.ends_at, given.timezone)


@strawberry.type
class NotificationMutations:
    """The mutations of this module."""

    acknowledge_notifications = strawberry.mutation(
        acknowledge_notifications,
        graphql_type=outcome_of(NotificationsAcknowledged, "AcknowledgeNotificationsResult"),
        description="Note that you have seen notifications. Repeating it changes nothing.",
    )
    acknowledge_push = strawberry.mutation(
        acknowledge_push,
        graphql_type=outcome_of(PushAcknowledged, "AcknowledgePushResult"),
        description="Say that this device has a push, as soon as it arrives: a deduction that no "
        "device has acknowledged after a few minutes comes as a text message too.",
    )
    set_notification_preference = strawberry.mutation(
        set_notification_preference,
        graphql_type=outcome_of(NotificationPreferencesSet, "SetNotificationPreferenceResult"),
        description="Switch a channel on or off for a category. BILL and SECURITY keep the inbox "
        "and one other channel: `CATEGORY_ALWAYS_TOLD`.",
    )
    set_quiet_hours = strawberry.mutation(
        set_quiet_hours,
        graphql_type=outcome_of(NotificationPreferencesSet, "SetQuietHoursResult"),
        description="Set when to be left alone, by the clock of your own zone.",
    )
    set_language = strawberry.mutation(
        set_language,
        graphql_type=outcome_of(LanguageSet, "SetLanguageResult"),
        description="Set the language of messages and of `Notification.title`.",
    )
