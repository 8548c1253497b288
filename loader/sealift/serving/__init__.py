"""`sealift serve`: the store's models over a Unix socket, in the Open Inference Protocol v2.

Needs the extra `serve` (uvicorn, httptools); nothing that an application imports leads here.
"""
