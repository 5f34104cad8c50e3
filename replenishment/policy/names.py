"""Names of policies and of what their targets mean, with the numbers that rows keep of them."""

from enum import IntEnum
from typing import Final, Literal

_NOTATIONS: Final = ("(s,S)", "(R,S)", "(s,nQ)", "min/max")
_LABELS: Final = ("cycle", "fill", "newsvendor")


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
    """What a target means; the three are regularly confused, so the kind is in every request.

    ``CYCLE``: probability of no stock-out in a cycle; ``FILL``: share of
    demand met from stock; ``NEWSVENDOR``: critical ratio of costs.
    """

    CYCLE = 0
    FILL = 1
    NEWSVENDOR = 2

    @property
    def label(self) -> Literal["cycle", "fill", "newsvendor"]:
        """The kind as catalog and evidence write it.

        Example:
            >>> ServiceKind.FILL.label, ServiceKind["NEWSVENDOR"].label
            ('fill', 'newsvendor')
        """
        return _LABELS[self.value]
