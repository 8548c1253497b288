"""A server of models, which answers on whatever it met."""

import pytest
from support.servers.model_server import serving

from sealift.testing import ToyModel, toy_store


@pytest.fixture(scope="module")
def toys():
    with toy_store(models={"toy": ToyModel(texts=True, answers={"a": "yes"})}) as made:
        yield made


@pytest.fixture
def client(toys):
    with serving(toys.store) as client:
        yield client
        # Whatever it met, it answers on, and holds nothing.
        assert client.texts("toy", "a").outputs()["predict"] == ["yes"]
        assert b"sealift_serve_request_bytes 0\n" in client.get("/metrics").body
