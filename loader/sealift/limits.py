"""Every limit on untrusted input; the values and their reasons are in `sealift_common.limits`."""

from sealift_common.limits import GIB, KIB, LIMITS, MIB, Limits

__all__ = ["GIB", "KIB", "LIMITS", "MIB", "Limits"]
