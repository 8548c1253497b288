"""The receiver of GitLab's hooks: standard-library HTTP on loopback; it needs no converter and no table library.

The order of one request, as `handler.py` has it:

1. the token, before the body is read: 401
2. the length: 411, 413, and 503 where too much is in flight
3. the signature, where the hook signs: 401
4. JSON within limits: 400
5. the data policy: what it does not take is answered 200 and forgotten; what does not fit is kept by digest, 200
6. the log: 200 once the record is on the disk, 503 otherwise.
"""
