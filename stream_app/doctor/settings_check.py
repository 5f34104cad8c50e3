"""Settings: every unknown variable and every wrong value at once; the rest is examined if they can be read at all."""

from collections.abc import Sequence

from pydantic import ValidationError

from stream_app.doctor.finding import Finding, fine, problem
from stream_app.errors import ConfigError
from stream_app.settings import Settings, load_settings

MEND = "restock config"


def examined_settings() -> tuple[Settings | None, Sequence[Finding]]:
    """Return the settings, None if they cannot be used, and what is to be said of them."""
    try:
        return load_settings(), [fine("settings", "all settings are known and within range")]
    except ConfigError as wrong:
        findings = [problem("settings", one, MEND) for one in wrong.problems]
    try:
        # a variable that nobody knows does not keep the others from being examined
        return Settings(), findings
    except ValidationError:
        return None, [*findings, problem("settings", "nothing else was examined: correct the settings first", MEND)]
