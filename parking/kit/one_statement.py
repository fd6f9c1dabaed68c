"""A statement that is sent to the driver as it is: nothing is built anew for each car."""

import re
from collections.abc import Mapping
from typing import Final

_VALUE: Final = re.compile(r"(?<!:):([a-z_]+)")


class OneStatement:
    """SQL with named values, for `Database.run_alone`.

    Args:
        sql: Each `:name` is a value; a name may come again. A cast is written with CAST.
    """

    def __init__(self, sql: str) -> None:
        names = tuple(dict.fromkeys(_VALUE.findall(sql)))
        self._names = names
        self.sql = _VALUE.sub(lambda found: f"${names.index(found[1]) + 1}", sql)

    def given(self, values: Mapping[str, object]) -> tuple[object, ...]:
        """Return the values in the order that the driver wants."""
        return tuple(values[name] for name in self._names)
