"""ONNX Runtime, silent: on being imported it would write a device id into the home directory and report its use."""

import os
from typing import TypeAlias

# must be there before the first import anywhere; somebody's own choice stays
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

from model_store.errors import ArtifactCorrupt

InferenceSession: TypeAlias = onnxruntime.InferenceSession
_ERRORS_ONLY = 3


def session_of(raw: bytes) -> InferenceSession:
    """Return a checked graph ready to run, on one thread so that the same input gives the same bits.

    Raises:
        ArtifactCorrupt: If ONNX Runtime refuses it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = _ERRORS_ONLY
    try:
        return InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common class but this one
        raise ArtifactCorrupt(f"ONNX Runtime refuses the graph ({str(error)[:200]})") from error
