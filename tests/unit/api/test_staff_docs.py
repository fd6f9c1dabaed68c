"""docs/staff.md says who may do what, as the code does."""

import re
from pathlib import Path
from typing import Final

from api.staff.permissions import PERMISSIONS, Permission, Scope
from parking.staff.rules import Role

PAGE: Final = (Path(__file__).parents[3] / "docs" / "staff.md").read_text(encoding="utf-8")
SCOPES: Final = {
    Scope.NAMED: "what is named",
    Scope.LISTED: "what is listed",
    Scope.NO_PLACE: "no place in it",
    Scope.WHOLE: "all places only",
}


def roles_in_words(permission: Permission) -> str:
    others = [role for role in Role if role is not Role.ADMIN]
    roles = [role.value for role in others if role in permission.roles]
    if len(roles) == len(others):
        return "everybody"
    return ", ".join(roles) or "admin only"


def test_the_table_is_the_one_of_the_code() -> None:
    listed = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    declared = [
        (name, roles_in_words(permission), SCOPES[permission.scope])
        for name, permission in PERMISSIONS.items()
    ]
    assert listed == declared
