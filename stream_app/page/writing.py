"""How pages are written: templates with every value escaped, numbers and times as people read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf, isnan
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from stream_app.page.languages import LANGUAGES, said
from stream_app.printable import escaped

MANY_DAYS = 999
_environment = Environment(
    loader=PackageLoader("stream_app.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Notice:
    """A line above a page: its kind (``danger``, ``warning``), what is the case, and the cause in English if known."""

    kind: str
    what: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every page needs beside its content; ``age_seconds`` None where no state is shown.

    A page that is not live stays as it is: it answers what a form sent, and its address gives another.
    """

    language: str
    path: str
    query: Mapping[str, str]
    notices: Sequence[Notice] = ()
    age_seconds: int | None = None
    clock: str = ""
    is_live: bool = True

    def in_language(self, language: str) -> str:
        """Return the address of the same page in a language."""
        return f"{self.path}?{urlencode({**self.query, 'lang': language})}"


def written(template: str, around: Surroundings, **content: Any) -> str:
    """Return a page as HTML."""
    return _environment.get_template(template).render(
        t=partial(said, around.language),
        days=partial(days, around.language),
        units=units,
        decimal=decimal,
        share=share,
        moment=moment,
        money=money,
        sku_address=sku_address,
        request_address=request_address,
        language=around.language,
        languages=LANGUAGES,
        in_language=around.in_language,
        here=around.path,
        notices=around.notices,
        age=around.age_seconds,
        clock=around.clock,
        is_live=around.is_live,
        **content,
    )


def document(template: str, **content: Any) -> str:
    """Return a file of its own, in English, as HTML."""
    return _environment.get_template(template).render(units=units, **content)


def welcome(address: str) -> str:
    """Return the page that a link with the token gives: it leads on at once.

    A redirect would lose the strict cookie when the link was opened from
    another site, such as a mail in the browser; a page of our own does not.
    """
    return _environment.get_template("welcome.html").render(address=address)


def units(number: int) -> str:
    """Return whole units.

    Example:
        >>> units(1234567), units(-5)
        ('1,234,567', '−5')
    """
    return f"{number:,}".replace("-", "−")


def decimal(number: float) -> str:
    """Return a number to a tenth below a hundred.

    Example:
        >>> decimal(7.0), decimal(3.26), decimal(1234.5)
        ('7', '3.3', '1,234')
    """
    text = f"{number:,.1f}" if abs(number) < 100 else f"{number:,.0f}"
    return text.removesuffix(".0").replace("-", "−")


def share(ratio: float) -> str:
    """Return a share as per cent, signed only if negative.

    Example:
        >>> share(0.1234), share(-0.02)
        ('12.3 %', '−2.0 %')
    """
    return f"{ratio:.1%}".replace("%", " %").replace("-", "−")


def days(language: str, number: float | None) -> str:
    """Return how many days something lasts.

    Example:
        >>> days("en", 3.26), days("en", 4_000.0), days("en", float("inf")), days("en", None)
        ('3.3', '> 999', 'no demand', '–')
    """
    if number is None or isnan(number):
        return "–"
    if number == inf:
        return said(language, "days.no_demand")
    return f"> {MANY_DAYS}" if number > MANY_DAYS else decimal(number)


def money(value: float) -> str:
    """Return a value in the catalog's currency, which has no name.

    Example:
        >>> money(1234.5)
        '1,234.50'
    """
    return f"{value:,.2f}"


def moment(time: str) -> str:
    """Return a time of output as people write it, UTC, without what is zero.

    Example:
        >>> moment("2026-01-31T00:00:00.000Z"), moment("2026-01-31T08:05:00.000Z")
        ('2026-01-31', '2026-01-31 08:05')
    """
    day, _, clock = time.partition("T")
    return day if clock.startswith("00:00") else f"{day} {clock[:5]}"


def sku_address(location: str, sku: str) -> str:
    """Return the address of a stock key's page.

    Example:
        >>> sku_address("uk", "A/1&2")
        '/sku?location=uk&sku=A%2F1%262'
    """
    return f"/sku?{urlencode({'location': location, 'sku': sku})}"


def request_address(restock_id: str) -> str:
    """Return the address of a request's page."""
    return f"/request?{urlencode({'id': restock_id})}"


def visible(text: str) -> str:
    """Return a text of others with its control characters escaped; HTML is the templates' business."""
    return escaped(text.encode())
