"""The trade of replenishment, pure: demand, forecasts, stock and policies. Knows no clock, file, socket or logger."""
