"""Refusals about campaigns."""

from parking.kit.errors import ParkingError


class CampaignUnknownError(ParkingError):
    """The operator has no such campaign, or it is of a place that the member does not see."""

    code = "CAMPAIGN_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("no such campaign of yours")


class SegmentUnknownError(ParkingError):
    """The operator has no such segment, or it is of a place that the member does not see."""

    code = "SEGMENT_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("no such segment of yours")


class NameTakenError(ParkingError):
    """Another campaign or segment of the operator has this name."""

    code = "CAMPAIGN_NAME_TAKEN"

    def __init__(self) -> None:
        super().__init__("another one has this name")


class CampaignStateError(ParkingError):
    """The campaign does not stand where this can be done."""

    code = "CAMPAIGN_STATE"

    def __init__(self, state: str, needed: str) -> None:
        super().__init__(f"the campaign is {state}; expected {needed}")


class OwnCampaignError(ParkingError):
    """Whoever had a hand in a campaign cannot approve it."""

    code = "CAMPAIGN_IS_YOURS"

    def __init__(self) -> None:
        super().__init__("a second person approves: you had a hand in this campaign")


class AudienceTooSmallError(ParkingError):
    """A campaign's filter means so few drivers that it would be about them."""

    code = "CAMPAIGN_AUDIENCE_TOO_SMALL"

    def __init__(self, least: int) -> None:
        super().__init__(f"its filter means fewer than {least} drivers at this moment")


class CampaignChangedError(ParkingError):
    """Somebody changed the campaign since it was read."""

    code = "CAMPAIGN_CHANGED"

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} is the newest; read it again")
        self.version = version


class TestDriverError(ParkingError):
    """The driver did not agree to offers, or there are too many test drivers."""

    code = "CAMPAIGN_TEST_DRIVER"
