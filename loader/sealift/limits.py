"""Every limit on untrusted input; the values and their reasons are in `sealift_common.parsing.limits`."""

from sealift_common.parsing.limits import GIB, KIB, LIMITS, MIB, Limits

__all__ = ["GIB", "KIB", "LIMITS", "MIB", "Limits"]
