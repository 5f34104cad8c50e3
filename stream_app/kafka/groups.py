"""Names of what stages beside the workers have of their own, made from the workers' names."""

BUYER = "-buyer"
"""What a buyer adds to the workers' group and state prefix: both work beside each other."""


def splitter_group(group: str, source: str) -> str:
    """Return the consumer group of the splitters of a topic.

    Example:
        >>> splitter_group("restock", "shop-orders")
        'restock-split-shop-orders'
    """
    return f"{group}-split-{source}"
