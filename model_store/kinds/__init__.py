"""Model kinds, one file each: everything that can serve behind the Forecaster protocol."""
