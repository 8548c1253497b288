"""What an admin, the channel or the policy decides holds while models are served."""

import threading
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.release.instance import Instance
from support.release.reviews import SECURITY, ReviewedChannel, demand, signer
from support.servers.model_server import serving, until

from sealift.errors import IncompatibleError, NotInstalledError
from sealift.following import Switch
from sealift.serving.answering import catalog as catalogs
from sealift.serving.answering.catalog import Catalog
from sealift.serving.answering.served import ServedModel
from sealift.store import Store
from sealift.store.upkeep.rollback import rollback
from sealift.testing import ToyModel, toy_store
from sealift_common import fingerprint
from sealift_common.names import ModelVersion
from sealift_keys.ceremony.stating import state_own

pytestmark = pytest.mark.usefixtures("no_replay")

# `make serve-storm` measures how soon; here a busy machine must not fail a test.
SOON_S = 60.0


def toy(version, answer="yes"):
    return ToyModel(version=version, texts=True, answers={"a": answer})


@pytest.fixture
def toys(no_replay):
    with toy_store(models={"toy": toy("1.0.0"), "other": toy("1.0.0")}) as made:
        yield made


def version_of(reply):
    assert reply.status == 200, reply.body
    return reply.document["model_version"]


def test_a_switch_that_is_told_while_the_store_is_read_is_not_forgotten(toys, monkeypatch):
    """Else a model that was refused meanwhile would be looked at again after ten seconds only."""
    catalog, read = Catalog(toys.store, [], None, lambda _model, _message: None), []

    def refresh():
        read.append(None)
        catalog.error = NotInstalledError("the new version is being loaded")
        if len(read) == 1:
            catalog._switched(None, None)

    monkeypatch.setattr(catalog, "_refresh", refresh)
    for _ in range(4):
        catalog._look()
    assert len(read) == 2


def test_a_failed_switch_that_is_told_while_the_store_is_read_is_not_forgotten(toys, monkeypatch):
    """Else monitoring would see a model that is well, until the next try fails."""
    served = ServedModel(toys.store, "toy", None, None, lambda _model, _switch: None)
    served.refresh()
    find = served._store.find

    def told_meanwhile(*arguments, **options):
        found = find(*arguments, **options)
        served._tell(Switch("toy", "1.0.0", "", "", "", IncompatibleError("too new for this machine")))
        return found

    monkeypatch.setattr(served._store, "find", told_meanwhile)
    served.refresh()
    assert isinstance(served.stuck, IncompatibleError)
    monkeypatch.undo()
    served.refresh()
    assert (served.stuck, served.error) == (None, None)


def test_a_change_that_the_clock_of_the_file_system_does_not_show_is_looked_at(toys, monkeypatch):
    """Two changes within one tick look like one; the store may have been read between them."""
    catalog, read, now = Catalog(toys.store, [], None, lambda _model, _message: None), [], [1000.0]
    monkeypatch.setattr(catalog, "_refresh", lambda: read.append(now[0]))
    monkeypatch.setattr(catalogs, "last_change", lambda _path: (1, 1, 0, 999 * 10**9))
    monkeypatch.setattr(catalogs.time, "time", lambda: now[0])
    monkeypatch.setattr(catalogs.time, "monotonic", lambda: now[0])
    for seconds in (0, 1, 1.5, 2.5, 5, 60):
        now[0] = 1000.0 + seconds
        catalog._look()
    assert read == [1000.0, 1002.5]


def test_a_rejection_of_the_sites_own_reviewers_holds_while_models_are_served(tmp_path):
    channel, instance, carol = ReviewedChannel(tmp_path / "ch"), Instance(tmp_path / "instance"), signer("carol")
    instance.pin(channel.root_bytes)
    model = channel.stage("1.0.0")
    channel.say(model, "security", "ada")
    channel.release()
    pem = fingerprint.parse(carol.public_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (instance.trust_path / "carol.pem.pub").write_bytes(b"name: carol\n" + pem)
    demand(instance, SECURITY + '[own]\nsite = ["carol.pem.pub"]\n')

    def say(decision):
        state_own(instance.trust_path, "sim", model, "site", decision, channel.digest(model), carol)

    say("approved")
    instance.install(channel.pack(tmp_path / "1.tar"))
    rows = {"inputs": [{"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
    with serving(instance.store) as client:
        until(lambda: client.infer("toy", rows).status == 200, SOON_S)
        say("rejected")
        reply = until(lambda: (found := client.infer("toy", rows)).status != 200 and found, SOON_S)
        assert reply.refusal == (403, "unreviewed")


def test_a_new_version_and_one_rolled_back_to_answer_without_a_restart(toys):
    with serving(toys.store) as client:
        assert version_of(client.texts("toy", "a")) == "1.0.0"
        toys.install({"toy": toy("1.1.0", "no"), "third": toy("1.0.0")})
        until(lambda: version_of(client.texts("toy", "a")) == "1.1.0", SOON_S)
        assert client.texts("toy", "a").outputs()["predict"] == ["no"]
        assert (
            version_of(until(lambda: (reply := client.texts("third", "a")).status == 200 and reply, SOON_S)) == "1.0.0"
        )
        assert client.get("/v2/models/toy/versions/1.0.0").refusal == (404, "not-installed")
        rollback(toys.store, None, to=None, now=datetime.now(UTC))
        until(lambda: version_of(client.texts("toy", "a")) == "1.0.0", SOON_S)
        until(lambda: client.texts("third", "a").refusal == (404, "not-installed"), SOON_S)
        assert version_of(client.texts("other", "a")) == "1.0.0"
        assert {name for name, _ in client.told} == {"", "toy", "other", "third"}


def test_two_versions_beside_each_other(toys):
    toys.install({"toy": toy("1.1.0", "no")})
    with serving(toys.store, "toy", "toy:1.0.0") as client:
        assert client.infer("toy/versions/1.0.0", ASK).outputs()["predict"] == ["yes"]
        assert client.infer("toy/versions/1.1.0", ASK).outputs()["predict"] == ["no"]
        assert client.infer("toy", ASK).outputs()["predict"] == ["no"]
        assert client.infer("other", ASK).refusal == (404, "not-installed")
        assert [one["version"] for one in client.get("/v2/repository/index").document] == ["1.1.0", "1.0.0"]


ASK = {"inputs": [{"name": "rows", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}


def test_a_withdrawn_version_is_gone_soon_after_the_install(toys):
    with serving(toys.store) as client:
        toys.withdraw("toy", "1.0.0", "it was wrong")
        reply = until(lambda: (found := client.texts("toy", "a")).status != 200 and found, SOON_S)
        assert reply.refusal == (410, "withdrawn")
        assert "'it was wrong'" in reply.document["error"]
        assert client.get("/v2/models/toy").refusal == (410, "withdrawn")
        assert client.get("/v2/models/toy/versions/1.0.0").refusal == (410, "withdrawn")
        # Everything else is as before.
        assert version_of(client.texts("other", "a")) == "1.0.0"
        assert client.get("/v2/health/ready").status == 200
        toys.install({"toy": toy("1.0.1", "no")})
        until(lambda: client.texts("toy", "a").status == 200, SOON_S)
        assert client.get("/v2/models/toy/versions/1.0.0").refusal == (410, "withdrawn")
    with serving(toys.store, "toy:1.0.0") as client:
        assert client.infer("toy/versions/1.0.0", ASK).refusal == (410, "withdrawn")
        assert client.get("/v2/health/ready").status == 503


def test_an_old_version_that_was_withdrawn_does_not_answer_while_the_new_one_loads(toys, monkeypatch):
    """Its weights may take long to read; a followed model would answer with the old version meanwhile."""
    gate, load = threading.Event(), Store.load
    with serving(toys.store, "toy") as client:
        toys.install({"toy": toy("1.1.0", "no")})
        until(lambda: version_of(client.texts("toy", "a")) == "1.1.0", SOON_S)

        def slow(*arguments, **options):
            gate.wait(30)
            return load(*arguments, **options)

        monkeypatch.setattr(Store, "load", slow)
        toys._channel.withdraw(ModelVersion.parse("toy", "1.1.0"), "wrong again")
        toys.install({"toy": toy("1.2.0", "yes")})
        reply = until(lambda: (found := client.texts("toy", "a")).status != 200 and found, SOON_S)
        assert (reply.refusal, reply.headers["retry-after"]) == ((503, "not-loaded"), "1")
        assert "was withdrawn" in reply.document["error"]
        gate.set()
        until(lambda: client.texts("toy", "a").status == 200, SOON_S)
        assert version_of(client.texts("toy", "a")) == "1.2.0"


def test_a_model_that_cannot_be_loaded_leaves_the_others(toys):
    graph = toys.store.find("toy").path / "model.onnx"
    good = graph.read_bytes()
    graph.chmod(0o644)
    graph.write_bytes(good[:-1] + b"x")
    with serving(toys.store) as client:
        reply = client.texts("toy", "a")
        assert (reply.refusal, reply.headers["retry-after"]) == ((503, "corrupt"), "1")
        assert version_of(client.texts("other", "a")) == "1.0.0"
        assert client.get("/v2/health/ready").status == 200
        state = {
            one["name"]: (one["state"], bool(one["reason"])) for one in client.get("/v2/repository/index").document
        }
        assert state == {"toy": ("UNAVAILABLE", True), "other": ("READY", False)}
        text = client.get("/metrics").body.decode()
        assert 'sealift_serve_model_up{model="toy",wanted="",code="corrupt"} 0' in text
        assert 'sealift_serve_model_up{model="other",wanted="",code=""} 1' in text


def test_a_version_that_cannot_be_loaded_leaves_the_old_one(toys, monkeypatch):
    from sealift.errors import IncompatibleError

    def refuse(*_arguments, **_options):
        raise IncompatibleError("too new for this machine")

    with serving(toys.store, "toy") as client:
        monkeypatch.setattr(Store, "load", refuse)
        toys.install({"toy": toy("1.1.0")})
        until(lambda: 'serve_model_stuck{model="toy",wanted=""} 1' in client.get("/metrics").body.decode(), SOON_S)
        assert version_of(client.texts("toy", "a")) == "1.0.0"
        until(lambda: any("too new for this machine [incompatible]" in line for _, line in client.told), SOON_S)


def test_the_policy_holds_while_models_are_served(tmp_path):
    channel = ReviewedChannel(tmp_path / "ch")
    instance = Instance(tmp_path / "instance")
    instance.pin(channel.root_bytes)
    model = channel.stage("1.0.0")
    channel.say(model, "security", "ada")
    channel.release()
    instance.install(channel.pack(tmp_path / "1.tar"))
    policy = instance.trust_path / "policy.toml"
    rows = {"inputs": [{"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
    with serving(instance.store) as client:
        assert client.infer("toy", rows).status == 200
        policy.write_text('schema = "sealift.policy/1"\n[require]\nroles = ["security", "legal"]\n')
        reply = until(lambda: (found := client.infer("toy", rows)).status != 200 and found, SOON_S)
        assert reply.refusal == (403, "unreviewed")
        assert "legal: 0 of 1" in reply.document["error"]
        policy.write_text('schema = "sealift.policy/1"\n[require]\nroles = ["security"]\n')
        until(lambda: client.infer("toy", rows).status == 200, SOON_S)


def test_a_server_that_begins_before_the_first_install(tmp_path):
    with toy_store(models={}) as toys, serving(toys.store) as client:
        assert client.get("/v2/health/ready").status == 200
        assert client.texts("toy", "a").refusal == (404, "not-installed")
        toys.install({"toy": toy("1.0.0")})
        until(lambda: client.texts("toy", "a").status == 200, SOON_S)


def test_a_server_that_can_answer_nothing_is_not_ready_and_says_why(tmp_path):
    with serving(Store(tmp_path / "none", trust=tmp_path / "nothing")) as client:
        assert client.get("/v2/health/ready").status == 503
        (line,) = [line for model, line in client.told if not model]
        assert line.startswith("not ready: ")
        assert line.endswith(("[not-installed]", "[no-trust]"))


def test_a_server_of_a_mistyped_name_is_ready_once_it_is_installed(toys):
    with serving(toys.store, "typo") as client:
        assert client.get("/v2/health/ready").status == 503
        assert ("", "not ready: no model answers") in client.told
        toys.install({"typo": toy("1.0.0")})
        until(lambda: client.get("/v2/health/ready").status == 200, SOON_S)
        until(lambda: client.told[-1] == ("", "ready"), SOON_S)
