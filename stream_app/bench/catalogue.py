"""All figures, in the order in which they are measured."""

from stream_app.bench.closing import CLOSING
from stream_app.bench.figures import Figure
from stream_app.bench.job import JOB
from stream_app.bench.keys import KEYS
from stream_app.bench.lines import LINES
from stream_app.bench.workers import WORKERS

FIGURES: tuple[Figure, ...] = (LINES, JOB, CLOSING, KEYS, WORKERS)
