"""Whether stored rows were laid out as this worker lays them out, and in which settings the two differ."""

from collections.abc import Iterator, Mapping

from stream_app.errors import LayoutMismatch

SETTINGS: Mapping[str, str] = {
    "bucket_seconds": "RESTOCK_BUCKET_SECONDS",
    "bucket_offset_seconds": "RESTOCK_BUCKET_OFFSET_SECONDS",
    "window_buckets": "RESTOCK_WINDOW_BUCKETS",
}


def require_same_layout(stored: Mapping[str, int], own: Mapping[str, int], prefix: str, partition: int) -> None:
    """Do nothing if the layouts are the same.

    Raises:
        LayoutMismatch: Names each difference with both values.
    """
    where = f"the state of partition {partition} under RESTOCK_STATE_PREFIX={prefix}"
    problems = [f"{one}; or choose another RESTOCK_STATE_PREFIX" for one in _differences(stored, own, where)]
    if problems:
        raise LayoutMismatch(problems)


def require_same_owner(stored: str, own: str, prefix: str, partition: int) -> None:
    """Do nothing if the state belongs to the one who claims it.

    Raises:
        LayoutMismatch: Names both.
    """
    if stored != own:
        raise LayoutMismatch(
            [
                f"RESTOCK_STATE_PREFIX={prefix}: the state of partition {partition} belongs to {stored or 'nobody'}, "
                f"this worker is of {own or 'nobody'}; give each product a RESTOCK_STATE_PREFIX of its own"
            ]
        )


def _differences(stored: Mapping[str, int], own: Mapping[str, int], where: str) -> Iterator[str]:
    for name in sorted({*stored, *own}):
        kept, wanted = stored.get(name), own.get(name)
        if kept == wanted:
            continue
        if name in SETTINGS:
            yield f"{SETTINGS[name]}={wanted}: {where} was written with {kept}"
        elif name == "partitions":
            yield (
                f"the input topics have {wanted} partitions: {where} was written when they had {kept}, and keys have "
                "moved between partitions. Begin anew from the topics with another RESTOCK_GROUP"
            )
        elif name == "open_buckets":
            yield f"RESTOCK_ALLOWED_LATENESS_SECONDS makes {wanted} open buckets: {where} was written with {kept}"
        else:
            yield f"{name} is {wanted}: {where} was written by another release, with {kept}; run that one"
