"""What one-time codes are for."""

from enum import StrEnum


class CodePurpose(StrEnum):
    """What a one-time code is good for; it works for nothing else."""

    SIGN_IN = "sign_in"
    PASSWORD_FREE = "password_free"  # noqa: S105 - a purpose, not a secret
    END_SIGN_INS = "end_sign_ins"
    EXPORT_ACCOUNT = "export_account"
    CHANGE_PHONE_NUMBER = "change_phone_number"
    DELETE_ACCOUNT = "delete_account"
    NEW_PHONE_NUMBER = "new_phone_number"
