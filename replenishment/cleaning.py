"""Which codes name no goods: the rule that files and the stream share. Who asks leaves out and counts."""

import re
from fnmatch import fnmatchcase
from functools import lru_cache

USUAL = "usual"
"""Among patterns of SKUs: the codes that shops usually keep for what is no goods."""
MOST_PATTERNS = 100
LONGEST_PATTERN = 64
_USUAL_CODES = re.compile(
    r"(TEST|DUMMY|SAMPLES?|POST|POSTAGE|DOT|SHIPPING|DELIVERY|FREIGHT|CARRIAGE|DISCOUNT|MANUAL|ADJUST|ADJUSTMENT"
    r"|BANK[ _.-]?CHARGES?|AMAZON[ _.-]?FEE|FEES?|GIFT[ _.-]?(CARD|VOUCHER)S?|VOUCHERS?)[ _.-]?[0-9]{0,3}",
    re.IGNORECASE,
)


@lru_cache(maxsize=2**16)
def names_no_goods(sku: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a SKU names no goods: carriage, charges, vouchers, tests, corrections by hand.

    Args:
        sku: The code.
        patterns: Shell patterns (``*``, ``?``, ``[…]``, in any case), or ``usual`` for the usual codes.

    Example:
        >>> [names_no_goods(one, ("usual", "gift-*")) for one in ("POST", "Bank charges", "GIFT-1", "85123A")]
        [True, True, True, False]
    """
    return any(
        _USUAL_CODES.fullmatch(sku) is not None if one == USUAL else fnmatchcase(sku.upper(), one.upper())
        for one in patterns
    )


def patterns_of(text: str) -> tuple[str, ...]:
    """Return the patterns of a list separated by commas.

    Raises:
        ValueError: If there are more than 100, or one is longer than 64 characters.

    Example:
        >>> patterns_of("usual, GIFT-*")
        ('usual', 'GIFT-*')
    """
    patterns = tuple(one.strip() for one in text.split(",") if one.strip())
    if len(patterns) > MOST_PATTERNS or any(len(one) > LONGEST_PATTERN for one in patterns):
        raise ValueError(f"must be at most {MOST_PATTERNS} patterns of at most {LONGEST_PATTERN} characters each")
    return patterns
