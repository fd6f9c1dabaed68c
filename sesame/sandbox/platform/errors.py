"""How the books refuse."""


class NumberConflictError(Exception):
    """The number belongs to an order with other parameters."""


class NotFoundError(Exception):
    """The platform has no such thing."""
