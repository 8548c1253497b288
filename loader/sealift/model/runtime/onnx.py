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


def operator_domains() -> set[str]:
    """Return the domains whose operators this ONNX Runtime knows; the default one is ""."""
    # No public function tells; this one is there from 1.17, our lowest, on.
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: TID251 - imported silent, above

    return {schema.domain for schema in state.get_all_operator_schema()}


__all__ = ["onnxruntime", "operator_domains"]
