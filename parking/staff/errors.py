"""Why something is refused to an operator's staff."""

from parking.kit.errors import ParkingError


class StaffForbiddenError(ParkingError):
    """The member is known, and none of their roles or places allows it."""

    code = "FORBIDDEN"

    def __init__(self, needed: str) -> None:
        super().__init__(f"this needs {needed}")


class StaffMemberUnknownError(ParkingError):
    """The operator has no such member, or none that still works there."""

    code = "STAFF_MEMBER_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("memberId: expected a member of yours who has not ended")


class StaffMemberExistsError(ParkingError):
    """Somebody has the name or the address already."""

    code = "STAFF_MEMBER_EXISTS"

    def __init__(self) -> None:
        super().__init__("a member has this name or address; a name stays with what it decided")


class OwnRolesError(ParkingError):
    """Nobody takes the administration away from themselves: somebody must have it left."""

    code = "OWN_ROLES"

    def __init__(self) -> None:
        super().__init__("let another administrator change your own membership")


class StaffSignInRefusedError(ParkingError):
    """The proof does not hold, is used or too old, or is nobody's who works here."""

    code = "SIGN_IN_REFUSED"

    def __init__(self) -> None:
        super().__init__("this does not sign you in; begin again")
