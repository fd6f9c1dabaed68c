"""A stand-in for Google's token endpoint and FCM HTTP v1."""

from sesame.sandbox.fcm.app import FcmStandIn, create_fcm_stand_in
from sesame.sandbox.fcm.grant import ServiceAccount, load_service_account, new_service_account

__all__ = [
    "FcmStandIn",
    "ServiceAccount",
    "create_fcm_stand_in",
    "load_service_account",
    "new_service_account",
]
