"""Files of events through the product without servers: the same wire, processor and engine over a store in memory."""
