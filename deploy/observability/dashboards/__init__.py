"""The five dashboards. What a panel says of itself is for someone who sees it for the first time."""

from deploy.observability.dashboards.forecast import FORECAST
from deploy.observability.dashboards.overview import OVERVIEW
from deploy.observability.dashboards.replenishment import REPLENISHMENT
from deploy.observability.dashboards.stream import STREAM
from deploy.observability.dashboards.training import TRAINING

ALL = (OVERVIEW, STREAM, FORECAST, REPLENISHMENT, TRAINING)
