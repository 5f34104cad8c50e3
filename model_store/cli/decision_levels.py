"""Service levels as a user writes them."""

from typing import Any

import click

_LEVELS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
"""Those that forecasts are read at."""


class LevelsType(click.ParamType):
    """Service levels, separated by commas."""

    name = "levels"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Return them, rising."""
        if isinstance(value, tuple):
            return value
        try:
            levels = tuple(sorted({float(one) for one in value.split(",")}))
        except ValueError:
            levels = ()
        if not levels or not set(levels) <= set(_LEVELS):
            self.fail(f"{value!r} must be some of {', '.join(f'{level:g}' for level in _LEVELS)}", param, ctx)
        return levels
