"""The Open Inference Protocol v2 as bytes: requests in, answers out, and what a model says of itself. Pure.

Source: the Open Inference Protocol (KServe), REST, with the binary tensor data extension.
"""
