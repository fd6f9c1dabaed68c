"""A stand-in for what Firebase Authentication shows to a server."""

from sesame.sandbox.firebase.app import FirebaseStandIn, FirebaseStandInUser

__all__ = ["FirebaseStandIn", "FirebaseStandInUser"]
