"""Quantities as bars of characters, for a terminal."""

from collections.abc import Sequence

FULL, PARTS = "█", "▏▎▍▌▋▊▉"
WIDTH = 40


def bars(rows: Sequence[tuple[str, float]], width: int = WIDTH) -> list[str]:
    """Return a line for each name and number at least 0; the largest is as wide as the chart.

    Example:
        >>> bars([("position", 10), ("up to", 40)], width=8)
        ['position  10 ██', 'up to     40 ████████']
    """
    most = max((number for _, number in rows), default=0) or 1
    names = max(len(name) for name, _ in rows)
    numbers = max(len(f"{number:,.0f}") for _, number in rows)
    return [
        f"{name:{names}}  {number:>{numbers},.0f} {_bar(max(number, 0) / most * width)}".rstrip()
        for name, number in rows
    ]


def _bar(length: float) -> str:
    eighths = round(length * 8)
    return FULL * (eighths // 8) + (PARTS[eighths % 8 - 1] if eighths % 8 else "")
