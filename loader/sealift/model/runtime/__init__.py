"""ONNX Runtime: a graph's header, its weights, sessions, sealed memory."""
