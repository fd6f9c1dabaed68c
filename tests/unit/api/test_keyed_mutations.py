"""Every mutation either takes an idempotency key, or is known to need none."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final, cast, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

from api import answers
from api.schema import make_schema
from api.staff.schema import make_staff_schema

SCHEMAS: Final = {"driver": make_schema, "staff": make_staff_schema}
# Why the same request twice does no harm, and the second answer tells no less than the first.
WITHOUT: Final = {
    "driver": {
        "requestSignInCode": "another code; the limits count it as one",
        "signIn": "a code works once; ask for another",
        "refreshSignIn": "the refresh token is the key: using it again is how a thief is found",
        "signOut": "an ended sign-in stays ended",
        "registerDevice": "the device is the key",
        "requestConfirmationCode": "another code; the limits count it as one",
        "confirmWithCode": "a code works once; ask for another",
        "endSignIn": "an ended sign-in stays ended",
        "endOtherSignIns": "ended sign-ins stay ended",
        "removeDevice": "a removed device stays removed",
        "requestPhoneNumberChange": "another code; the limits count it as one",
        "changePhoneNumber": "a code works once; ask for another",
        "deleteAccount": "the account that could ask again is gone",
        "signInWithFirebase": "another sign-in; an unused one ends by itself",
        "saveInvoiceBuyer": "sets what stands there",
        "acknowledgeNotifications": "what is seen stays seen",
        "acknowledgePush": "what has arrived stays arrived",
        "setNotificationPreference": "sets what stands there",
        "setQuietHours": "sets what stands there",
        "setLanguage": "sets what stands there",
    },
    "staff": {
        "previewDispute": "does nothing",
        "inviteStaffMember": "another link; each is good once, and a secret is not kept",
        "reviewDispute": "the first name stays",
        "askPaymentAgain": "asks the provider, and moves nothing by itself",
        "resolveDifference": "moves no money; one's own note again changes nothing",
        "claimReview": "takes the review for ten minutes more",
    },
}


def mutations(realm: str) -> Iterator[tuple[str, Any]]:
    schema: Any = SCHEMAS[realm](development=True)
    yield from schema._schema.mutation_type.fields.items()


@pytest.mark.parametrize("realm", SCHEMAS)
def test_every_mutation_takes_a_key_or_is_listed(realm: str) -> None:
    without = {name for name, field in mutations(realm) if "idempotencyKey" not in field.args}
    assert without == set(WITHOUT[realm])


@pytest.mark.parametrize("realm", SCHEMAS)
def test_only_a_purchase_requires_its_key(realm: str) -> None:
    required = {
        name
        for name, field in mutations(realm)
        if str(getattr(field.args.get("idempotencyKey"), "type", "")) == "String!"
    }
    # Two passes of one product are two purchases; whatever else is done twice is known by itself.
    assert required == ({"purchasePass"} if realm == "driver" else set())


@pytest.mark.parametrize("realm", SCHEMAS)
def test_every_answer_can_be_kept(realm: str) -> None:
    kept = 0
    for _, field in mutations(realm):
        resolver: object = field.extensions["strawberry-definition"].base_resolver.wrapped_func
        text: answers.AnswerText | None = vars(resolver).get("answers")
        if text is not None and text.is_kept:
            kept += 1
            for member in text.members:
                require_readable(member, member.__name__, set())
    assert kept > 10


def require_readable(hint: Any, path: str, seen: set[Any]) -> None:  # noqa: ANN401 - a type
    kind: Any = answers.kind_of(hint)
    if get_origin(kind) in (list, tuple):
        require_readable(get_args(kind)[0], f"{path}[]", seen)
    elif is_dataclass(kind) and kind not in seen:
        hints = get_type_hints(kind)
        for one in fields(kind):
            if one.init:
                require_readable(hints[one.name], f"{path}.{one.name}", seen | {kind})
    else:
        is_known = kind in answers.PLAIN_KINDS or is_dataclass(kind)
        is_known = is_known or issubclass(cast("type", kind), (Enum, BaseModel))
        assert is_known, path
