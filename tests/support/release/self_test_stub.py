"""A self-test that passes at once, for tests of what surrounds it: disks, locks, signals."""

from contextlib import AbstractContextManager

from sealift.model.trial.process import SelfTestResult


class Passes(AbstractContextManager):
    def __init__(self, **_):
        pass

    def __exit__(self, *_):
        pass

    def lacks(self, *_):
        return []

    def replay(self, *_):
        return SelfTestResult(rows=1, seconds=0)
