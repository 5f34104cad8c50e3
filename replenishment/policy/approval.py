"""Limits above which a person decides: units and value of one request, and what a key may ask for in some days."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApprovalLimits:
    """What a key may request by itself; None = no limit.

    ``above_units`` and ``above_value`` are of one request, ``budget_value`` of
    all requests of ``budget_days`` together; values are units times
    ``unit_cost``, None = not known: then limits of value hold nothing back.
    """

    above_units: int | None = None
    above_value: float | None = None
    budget_value: float | None = None
    budget_days: float = 30.0
    unit_cost: float | None = None

    def value_of(self, units: int) -> float | None:
        """Return what units cost, to the cent, None if that is not known."""
        return None if self.unit_cost is None else round(units * self.unit_cost, 2)

    def reasons(self, units: int, spent_value: float) -> tuple[str, ...]:
        """Return a sentence for each limit that a request of ``units`` exceeds.

        Args:
            units: Of the request, 1 or more.
            spent_value: Value of the key's earlier requests within ``budget_days``.

        Example:
            >>> limits = ApprovalLimits(above_units=100, budget_value=500, unit_cost=4)
            >>> limits.reasons(90, 100.0)
            ()
            >>> limits.reasons(120, 100.0)
            ('120 units are more than 100', 'with it 580.00 is requested in 30 days, more than the budget of 500.00')
        """
        return tuple(self._reasons(units, spent_value))

    def _reasons(self, units: int, spent_value: float) -> Iterator[str]:
        if self.above_units is not None and units > self.above_units:
            yield f"{units:,} units are more than {self.above_units:,}"
        value = self.value_of(units)
        if value is None:
            return
        if self.above_value is not None and value > self.above_value:
            yield f"a value of {value:,.2f} is more than {self.above_value:,.2f}"
        spent = round(spent_value + value, 2)
        if self.budget_value is not None and spent > self.budget_value:
            days = f"{self.budget_days:g} days"
            yield f"with it {spent:,.2f} is requested in {days}, more than the budget of {self.budget_value:,.2f}"
