"""The command `model-store`: versions on the command line; heavy imports only where a command needs them."""
