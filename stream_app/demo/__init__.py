"""The demonstration: real orders, a simulated warehouse and an account of what came of it."""
