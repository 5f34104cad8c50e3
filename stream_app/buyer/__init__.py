"""The buyer: a process of its own that makes joint orders of proposals, on the worker's transport and store."""
