"""ONNX Runtime, imported silent: the one place that imports it.

Its official Linux wheels (seen with 1.32) write a device identifier and a database below the user's home
when they are imported, and upload events to their vendor. On an instance that has no internet, and
must not try, that is a defect. The variable is read once, when the library is loaded.
"""

import os

# The second is the name that some releases of 2026 used.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["ORT_TELEMETRY_DISABLED"] = "1"

import onnxruntime  # noqa: TID251 - after the variables, on purpose; everyone else imports this module

# An application may have imported it first; then this stops what can still be stopped.
onnxruntime.disable_telemetry_events()

__all__ = ["onnxruntime"]
