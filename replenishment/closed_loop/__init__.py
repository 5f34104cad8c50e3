"""The engine over recorded orders in a world that delivers what it requests: what a policy costs, whom it serves."""
