"""A model that is loaded, observed or followed is a `Model`, and answers with the very code of one."""

import gc

import pytest

import sealift
from sealift.errors import UsageError
from sealift.store.guard.in_use import exclusively
from sealift.testing import ToyModel, toy_store

ROWS = [{"text": "a"}, {"text": "b"}]
KINDS = {
    "loaded": {},
    "observed": {"observer": lambda _: None},
    "followed": {"follow": True},
    "followed and observed": {"follow": True, "observer": lambda _: None},
}
# What it means to share, to refuse, to stand still and to give a part differs; what is answered, and how, does not.
OF_ITS_KIND = {"share", "disable", "now", "graph"}


@pytest.fixture(scope="module")
def store():
    with toy_store(models={"toy": ToyModel(answers={"b": "yes"})}) as made:
        yield made


@pytest.fixture(params=KINDS)
def model(request, store):
    with sealift.load("toy", store=store.store_path, **KINDS[request.param]) as loaded:
        yield loaded


def public(cls):
    return {name for name in dir(cls) if not name.startswith("_")}


def test_each_is_a_model_with_one_implementation_of_each_method(model):
    assert isinstance(model, sealift.Model)
    # Closing one that follows ends that first.
    own = OF_ITS_KIND | ({"close"} if "following" in repr(model) else set())
    kind = type(model)
    # What forking and the model server ask of one that follows.
    assert public(kind) - {"renew_lock", "refusal"} == public(sealift.Model)
    assert {
        name
        for name in public(sealift.Model) - {"from_files"}
        if getattr(kind, name) is not getattr(sealift.Model, name)
    } <= own


def test_each_has_what_the_others_have(model):
    assert model.predict(ROWS).tolist() == ["no", "yes"]
    assert model.now.predict_proba(ROWS).shape == (2, 2)
    assert [answer.tolist() for answer in model.predict_batches([ROWS, ROWS[:1]])] == [["no", "yes"], ["no"]]
    assert (model.name, model.version, model.classes.tolist()) == ("toy", "1.0.0", ["no", "yes"])
    assert model.now.now is model.now
    assert model.now.session is model.session
    with pytest.raises(UsageError, match="has no transform; it has predict, predict_proba, run"):
        model.transform(ROWS)


@pytest.mark.parametrize("wrap", [lambda model: model.share(), lambda model: model.observed(lambda _: None)])
def test_closing_one_leaves_the_other_as_it_is(model, wrap):
    other = wrap(model)
    assert isinstance(other, sealift.Model)
    assert other.session is model.session
    other.close()
    with pytest.raises(UsageError, match="was closed"):
        other.predict(ROWS)
    again = wrap(model)
    model.close()
    with pytest.raises(UsageError, match="was closed"):
        model.predict(ROWS)
    assert again.predict(ROWS).tolist() == ["no", "yes"]
    again.disable("it is Sunday")
    with pytest.raises(UsageError, match="it is Sunday"):
        again.predict_proba(ROWS)


def test_the_directory_is_in_use_while_a_model_that_shares_it_lives(model, store):
    directory = store.store.layout.models / "toy/1.0.0"
    other = sealift.load("toy", store=store.store_path).observed(lambda _: None)
    model.close()
    gc.collect()
    with exclusively(directory) as free:
        assert not free
    assert other.predict(ROWS).tolist() == ["no", "yes"]


def test_the_directory_is_free_when_the_last_is_gone(store):
    directory = store.store.layout.models / "toy/1.0.0"
    other = sealift.load("toy", store=store.store_path).share().observed(lambda _: None)
    gc.collect()
    with exclusively(directory) as free:
        assert not free
    del other
    gc.collect()
    with exclusively(directory) as free:
        assert free


def test_the_interface_itself_cannot_be_made():
    with pytest.raises(TypeError, match="abstract"):
        sealift.Model()
