"""Two releases, and an instance that has both."""

import pytest


@pytest.fixture
def bundles(channel, tmp_path):
    """The bundles of two releases: toy 1.0.0, then 1.1.0 and other 1.0.0."""
    channel.add("toy", "1.0.0")
    channel.release()
    first = channel.pack(tmp_path)
    channel.add("toy", "1.1.0")
    channel.add("other", "1.0.0")
    channel.release()
    return first, channel.pack(tmp_path)


@pytest.fixture
def installed(bundles, channel, instance):
    instance.pin(channel.root_bytes)
    for bundle in bundles:
        instance.install(bundle)
    return instance
