"""Who of an operator's staff may ask for what: every field of the staff's schema, in one place.

A field that is missing here is an administrator's alone, and a test fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from parking.staff.errors import StaffForbiddenError
from parking.staff.rules import Role, StaffIdentity


class Scope(Enum):
    """What a member sees who is limited to some places.

    NAMED: Only what is at their places: any other id answers as one that does not exist.
    LISTED: The resolver leaves out what is at other places; ids as with NAMED.
    NO_PLACE: Everything: it is of no place.
    WHOLE: Nothing: it is of the whole operator.
    """

    NAMED = auto()
    LISTED = auto()
    NO_PLACE = auto()
    WHOLE = auto()


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may ask for one field. An administrator may ask for every one."""

    roles: frozenset[Role]
    scope: Scope

    def require(self, staff: StaffIdentity) -> None:
        """Let a member pass.

        Raises:
            StaffForbiddenError: none of their roles allows it, or they are limited to places.
        """
        staff.require(self.roles)
        if self.scope is Scope.WHOLE and staff.places is not None:
            raise StaffForbiddenError("to be responsible for all places")


_EVERYBODY: Final = frozenset(Role)
_VIEWERS: Final = frozenset({Role.VIEWER, Role.OPERATOR, Role.FINANCE})
_DESK: Final = frozenset({Role.OPERATOR})
_MONEY: Final = frozenset({Role.FINANCE})
_DESK_AND_MONEY: Final = frozenset({Role.OPERATOR, Role.FINANCE})
_MARKETING: Final = frozenset({Role.MARKETING_AUTHOR, Role.MARKETING_APPROVER})
_AUTHORS: Final = frozenset({Role.MARKETING_AUTHOR})
_APPROVERS: Final = frozenset({Role.MARKETING_APPROVER})
_ADMIN: Final = frozenset({Role.ADMIN})
UNDECLARED: Final = Permission(_ADMIN, Scope.WHOLE)

PERMISSIONS: Final[Mapping[str, Permission]] = {
    # Oneself, and what is of nobody in particular.
    "me": Permission(_EVERYBODY, Scope.NO_PLACE),
    "operatorId": Permission(_EVERYBODY, Scope.NO_PLACE),
    "places": Permission(_EVERYBODY, Scope.LISTED),
    "lintRateTable": Permission(_VIEWERS, Scope.NO_PLACE),
    "quoteRateTable": Permission(_VIEWERS, Scope.NO_PLACE),
    # The ground.
    "gates": Permission(_VIEWERS, Scope.LISTED),
    "occupancy": Permission(_VIEWERS, Scope.NAMED),
    "occupancyCounts": Permission(_VIEWERS, Scope.NAMED),
    "standingCars": Permission(_VIEWERS, Scope.LISTED),
    "exitOverrides": Permission(_VIEWERS, Scope.LISTED),
    "rateTables": Permission(_VIEWERS, Scope.NAMED),
    "setOccupancy": Permission(_DESK, Scope.NAMED),
    "setFullSign": Permission(_DESK, Scope.NAMED),
    "keepSpaces": Permission(_DESK, Scope.NAMED),
    "rightPools": Permission(_VIEWERS, Scope.NAMED),
    "rightPoolFile": Permission(_VIEWERS, Scope.WHOLE),
    "spaceOffers": Permission(_VIEWERS, Scope.NAMED),
    "reservations": Permission(_VIEWERS, Scope.NAMED),
    "createRightPool": Permission(_DESK, Scope.NAMED),
    "changeRightPool": Permission(_DESK, Scope.NAMED),
    "importRightPools": Permission(_DESK, Scope.WHOLE),
    "placePositions": Permission(_VIEWERS, Scope.LISTED),
    "setPlacePosition": Permission(_DESK, Scope.NAMED),
    "importPlacePositions": Permission(_DESK, Scope.WHOLE),
    # The desk.
    "openExit": Permission(_DESK, Scope.NAMED),
    "takeCash": Permission(_DESK, Scope.NAMED),
    "validateStay": Permission(_DESK, Scope.NAMED),
    "owedByPlate": Permission(_DESK_AND_MONEY, Scope.LISTED),
    "reviews": Permission(_DESK, Scope.LISTED),
    "review": Permission(_DESK, Scope.NAMED),
    "claimReview": Permission(_DESK, Scope.NAMED),
    "correctReviewedPlate": Permission(_DESK, Scope.NAMED),
    "confirmReview": Permission(_DESK, Scope.NAMED),
    "dismissReview": Permission(_DESK, Scope.NAMED),
    # A driver and a plate are at no place: whoever checks papers, checks them for everybody.
    "pendingClaims": Permission(_DESK, Scope.NO_PLACE),
    "claimsInReview": Permission(_DESK, Scope.NO_PLACE),
    "approvePlateBinding": Permission(_DESK, Scope.NO_PLACE),
    "refusePlateBinding": Permission(_DESK, Scope.NO_PLACE),
    "vehicle": Permission(_DESK_AND_MONEY, Scope.NO_PLACE),
    "vehicles": Permission(_DESK_AND_MONEY, Scope.WHOLE),
    "recordVehicle": Permission(_DESK, Scope.WHOLE),
    "forgetVehicle": Permission(_DESK, Scope.WHOLE),
    # Bills, and what is said against them.
    "bill": Permission(_VIEWERS, Scope.NAMED),
    "bills": Permission(_VIEWERS, Scope.NAMED),
    "verifyBill": Permission(_VIEWERS, Scope.NAMED),
    "deliveries": Permission(_DESK_AND_MONEY, Scope.NAMED),
    "disputes": Permission(_DESK_AND_MONEY, Scope.LISTED),
    "dispute": Permission(_DESK_AND_MONEY, Scope.NAMED),
    "previewDispute": Permission(_DESK_AND_MONEY, Scope.NAMED),
    "resolveDispute": Permission(_DESK_AND_MONEY, Scope.NAMED),
    "reviewDispute": Permission(_DESK_AND_MONEY, Scope.NAMED),
    # Money.
    "payments": Permission(_DESK_AND_MONEY, Scope.NAMED),
    "paymentsNeedingStaff": Permission(_MONEY, Scope.LISTED),
    "askPaymentAgain": Permission(_DESK_AND_MONEY, Scope.NAMED),
    "endPayment": Permission(_MONEY, Scope.NAMED),
    "refunds": Permission(_MONEY, Scope.LISTED),
    "refundBill": Permission(_MONEY, Scope.NAMED),
    "retryRefund": Permission(_MONEY, Scope.NAMED),
    "correctBill": Permission(_MONEY, Scope.NAMED),
    "uncollected": Permission(_MONEY, Scope.LISTED),
    "writeOffBill": Permission(_MONEY, Scope.NAMED),
    "chargebacks": Permission(_MONEY, Scope.LISTED),
    "freezeCredit": Permission(_MONEY, Scope.NAMED),
    "creditPolicies": Permission(_MONEY, Scope.WHOLE),
    "setCreditPolicy": Permission(_MONEY, Scope.WHOLE),
    "balances": Permission(_MONEY, Scope.WHOLE),
    "postings": Permission(_MONEY, Scope.NAMED),
    "reconciliations": Permission(_MONEY, Scope.WHOLE),
    "reconciliationDifferences": Permission(_MONEY, Scope.WHOLE),
    "resolveDifference": Permission(_MONEY, Scope.WHOLE),
    "invoices": Permission(_MONEY, Scope.WHOLE),
    "invoiceSeller": Permission(_MONEY, Scope.WHOLE),
    "setInvoiceSeller": Permission(_MONEY, Scope.WHOLE),
    "cancelInvoice": Permission(_MONEY, Scope.WHOLE),
    "partnerships": Permission(_MONEY, Scope.WHOLE),
    "partnerCollections": Permission(_MONEY, Scope.WHOLE),
    "partnerSettlements": Permission(_MONEY, Scope.WHOLE),
    "settlePartner": Permission(_MONEY, Scope.WHOLE),
    # What is sold, and at what price.
    "passProducts": Permission(_EVERYBODY, Scope.WHOLE),
    "heldPasses": Permission(_DESK_AND_MONEY, Scope.WHOLE),
    "grantPass": Permission(_DESK, Scope.WHOLE),
    "revokePass": Permission(_DESK, Scope.WHOLE),
    "createPassProduct": Permission(_MONEY, Scope.WHOLE),
    "setPassProductSale": Permission(_MONEY, Scope.WHOLE),
    "changePassPrice": Permission(_MONEY, Scope.WHOLE),
    "publishRateTable": Permission(_MONEY, Scope.NAMED),
    # What is offered to drivers who agreed to it: who writes it does not approve it.
    "campaigns": Permission(_MARKETING, Scope.LISTED),
    "campaign": Permission(_MARKETING, Scope.NAMED),
    "campaignResults": Permission(_MARKETING, Scope.NAMED),
    "programmeResults": Permission(_MARKETING, Scope.WHOLE),
    "campaignForms": Permission(_MARKETING, Scope.NO_PLACE),
    "campaignPolicy": Permission(_MARKETING, Scope.NO_PLACE),
    "testDrivers": Permission(_MARKETING, Scope.WHOLE),
    "segments": Permission(_MARKETING, Scope.LISTED),
    "previewSegment": Permission(_MARKETING, Scope.NAMED),
    "marketingFile": Permission(_MARKETING, Scope.LISTED),
    "createCampaign": Permission(_AUTHORS, Scope.NAMED),
    "changeCampaign": Permission(_AUTHORS, Scope.NAMED),
    "submitCampaign": Permission(_AUTHORS, Scope.NAMED),
    "approveCampaign": Permission(_APPROVERS, Scope.NAMED),
    "sendBackCampaign": Permission(_APPROVERS, Scope.NAMED),
    "pauseCampaign": Permission(_MARKETING, Scope.NAMED),
    "resumeCampaign": Permission(_APPROVERS, Scope.NAMED),
    "endCampaign": Permission(_MARKETING, Scope.NAMED),
    "sendCampaignTest": Permission(_MARKETING, Scope.NAMED),
    "addTestDriver": Permission(_MARKETING, Scope.WHOLE),
    "removeTestDriver": Permission(_MARKETING, Scope.WHOLE),
    "setCampaignPolicy": Permission(_APPROVERS, Scope.WHOLE),
    "saveSegment": Permission(_AUTHORS, Scope.NAMED),
    "readMarketingFile": Permission(_AUTHORS, Scope.NAMED),
    # Who works here, and whom the operator binds itself to.
    "staffMembers": Permission(_ADMIN, Scope.WHOLE),
    "staffSignIns": Permission(_ADMIN, Scope.WHOLE),
    "auditTrail": Permission(_ADMIN, Scope.WHOLE),
    "addStaffMember": Permission(_ADMIN, Scope.WHOLE),
    "setStaffRoles": Permission(_ADMIN, Scope.WHOLE),
    "endStaffMember": Permission(_ADMIN, Scope.WHOLE),
    "inviteStaffMember": Permission(_ADMIN, Scope.WHOLE),
    "endStaffPasskeys": Permission(_ADMIN, Scope.WHOLE),
    "endStaffSignIn": Permission(_ADMIN, Scope.WHOLE),
    "proposePartnership": Permission(_ADMIN, Scope.WHOLE),
    "acceptPartnership": Permission(_ADMIN, Scope.WHOLE),
    "endPartnership": Permission(_ADMIN, Scope.WHOLE),
}


# What is fetched by an address instead of asked for by a field.
LANE_PICTURES: Final = Permission(_DESK_AND_MONEY, Scope.LISTED)
LICENCE_PICTURES: Final = Permission(_DESK, Scope.NO_PLACE)
INVOICE_FILES: Final = Permission(_MONEY, Scope.WHOLE)


def permission_of(field: str) -> Permission:
    """Return who may ask for a field of the root."""
    return PERMISSIONS.get(field, UNDECLARED)
