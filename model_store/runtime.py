"""ONNX Runtime, silent: on being imported it would write a device id into the home directory and report its use."""

import os

# must be there before the first import anywhere; somebody's own choice stays
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

InferenceSession = onnxruntime.InferenceSession
SessionOptions = onnxruntime.SessionOptions
