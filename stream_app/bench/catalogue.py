"""All figures, in the order in which they are measured."""

from stream_app.bench.figures import Figure
from stream_app.bench.job import JOB
from stream_app.bench.lines import LINES

FIGURES: tuple[Figure, ...] = (LINES, JOB)
