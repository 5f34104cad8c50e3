"""Compression codecs: without one a compressed topic raises in the fetcher, for ever."""

from collections.abc import Sequence

from aiokafka import codec

from stream_app.doctor.finding import Finding, fine, problem

_MEND = "pip install 'aiokafka[lz4,snappy,zstd]'"


def codec_findings() -> Sequence[Finding]:
    """Return which codecs this installation lacks."""
    has = {"gzip": codec.has_gzip(), "lz4": codec.has_lz4(), "snappy": codec.has_snappy(), "zstd": codec.has_zstd()}
    missing = [name for name, is_there in has.items() if not is_there]
    if not missing:
        return [fine("codecs", f"records compressed by {', '.join(has)} can be read")]
    what = f"this installation cannot read records compressed by {', '.join(missing)}: such a topic would stop a worker"
    return [problem("codecs", what, _MEND)]
