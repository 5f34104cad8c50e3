"""Policies and models compared in money over files of orders: the engine in a closed loop, without servers."""
