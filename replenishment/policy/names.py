"""Names of policies and of what their targets mean, with the numbers that rows keep of them."""

from enum import IntEnum
from typing import Final, Literal

_NOTATIONS: Final = ("(s,S)", "(R,S)", "(s,nQ)", "min/max")
_LABELS: Final = ("cycle", "fill", "newsvendor", "cost")
_ROUNDINGS: Final = ("up", "nearest", "down_to_max")


class Policy(IntEnum):
    """How levels and quantities of a key are made; see ``levels`` for the rules."""

    S_S = 0
    R_S = 1
    S_NQ = 2
    MIN_MAX = 3

    @property
    def notation(self) -> Literal["(s,S)", "(R,S)", "(s,nQ)", "min/max"]:
        """The policy as textbooks write it.

        Example:
            >>> Policy.S_NQ.notation
            '(s,nQ)'
        """
        return _NOTATIONS[self.value]


class ServiceKind(IntEnum):
    """What a target means; they are regularly confused, so the kind is in every request.

    ``CYCLE``: probability of no stock-out in a cycle; ``FILL``: share of
    demand met from stock; ``NEWSVENDOR``: critical ratio of costs, as if what
    a cycle leaves were worth nothing to the next; ``COST``: least expected
    holding and shortage cost of a cycle, where it is.
    """

    CYCLE = 0
    FILL = 1
    NEWSVENDOR = 2
    COST = 3

    @property
    def label(self) -> Literal["cycle", "fill", "newsvendor", "cost"]:
        """The kind as catalog and evidence write it.

        Example:
            >>> ServiceKind.FILL.label, ServiceKind["NEWSVENDOR"].label
            ('fill', 'newsvendor')
        """
        return _LABELS[self.value]


class Rounding(IntEnum):
    """How what is missing becomes whole packs.

    ``UP``: so many that nothing is missing any more; ``NEAREST``: up from half
    a pack on, else down; ``DOWN_TO_MAX``: so many that the position stays
    within the order-up-to level.
    """

    UP = 0
    NEAREST = 1
    DOWN_TO_MAX = 2

    @property
    def label(self) -> Literal["up", "nearest", "down_to_max"]:
        """The rule as catalog and evidence write it.

        Example:
            >>> Rounding.DOWN_TO_MAX.label
            'down_to_max'
        """
        return _ROUNDINGS[self.value]
