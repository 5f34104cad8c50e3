"""One restock request of the demonstration in sentences, and what the warehouse did."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stream_app.explain.sentences import minute, request_sentences


def explained(request: Mapping[str, Any], product: str, answers: Iterable[Mapping[str, Any]]) -> Sequence[str]:
    """Return the sentences that explain a request.

    Args:
        request: Value of a record on ``restock``.
        product: What the SKU is called.
        answers: Values of the records on ``inventory`` that answer it.
    """
    return [*request_sentences(request, product), *_answers(answers)]


def _answers(answers: Iterable[Mapping[str, Any]]) -> Sequence[str]:
    told = [
        f"{answer['type'].removeprefix('restock_').removeprefix('stock_')} {answer['quantity']:,} units"
        f" on {minute(answer['event_time'])}"
        for answer in sorted(answers, key=lambda answer: str(answer["event_time"]))
    ]
    return [f"The warehouse {', '.join(told)}."] if told else ["The warehouse has not answered yet."]
