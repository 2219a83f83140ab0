# SPDX-License-Identifier: Apache-2.0
"""Goal: a volume with wraps at two providers starts while either is down, and an unmodified volume moves from one kind of
key service to the next while a database runs on it. The providers are a file store, SoftHSM and OpenBao."""
import itertools
import os

import pytest

from conftest import FAST, make_engine
from engines import Redis, Sqlite
from harness import openbao, softhsm
from harness.key_service import ORGANISATION, GoogleService, KeyService


class FileProvider:
    def __init__(self, store):
        self.store = store

    def spec(self, name):
        return self.store.spec(name)

    def down(self):
        os.rename(self.store.path, self.store.path + ".away")

    def up(self):
        os.rename(self.store.path + ".away", self.store.path)

    def destroy(self, name):
        self.store.key("schedule-deletion", name, "--days", "0", "--yes")


class HsmProvider:
    def __init__(self, work):
        self.hsm = softhsm.SoftHsm(work)
        self.hsm.create("orders")
        self.spec, self.down, self.up = self.hsm.spec, self.hsm.unplug, self.hsm.plug
        self.destroy = self.hsm.destroy


class BaoProvider:
    def __init__(self, work):
        self.bao = openbao.OpenBao(work)
        self.bao.create("orders")
        self.spec, self.down, self.up = self.bao.spec, self.bao.down, self.bao.up

    def destroy(self, name):
        self.bao.ask("POST", f"transit/keys/{name}/config", {"deletion_allowed": True})
        self.bao.ask("DELETE", f"transit/keys/{name}")


class AwsProvider:
    """The embedded key service, over the wire of AWS."""

    def __init__(self, cli, work):
        self.service = KeyService(cli, work)
        self.service.create("orders")
        self.service.let_in("orders")
        self.spec, self.down, self.up = self.service.spec, self.service.stop, self.service.start

    def destroy(self, name):
        self.service.key("schedule-deletion", name, "--days", "7", "--yes")


class GoogleProvider:
    """The embedded key service, over the wire of Google Cloud KMS."""

    def __init__(self, cli, work):
        self.service = GoogleService(cli, work)
        self.service.create("orders")
        self.spec, self.down, self.up = self.service.spec, self.service.stop, self.service.start
        self.destroy = self.service.destroy


KINDS = ("file", "pkcs11", "transit", "aws", "google")


def why_missing(kind):
    return {"pkcs11": softhsm.missing, "transit": openbao.missing}.get(kind, lambda: None)()


PAIRS = list(itertools.combinations(KINDS, 2))


@pytest.fixture
def provider(store, cli, work):
    """provider(kind): with a key `orders`; skips when what it needs is not installed."""
    made = {"file": FileProvider(store)}

    def get(kind):
        why = why_missing(kind)
        if why:
            pytest.skip(why)
        if kind not in made:
            made[kind] = {"pkcs11": HsmProvider, "transit": BaoProvider, "aws": lambda w: AwsProvider(cli, w),
                          "google": lambda w: GoogleProvider(cli, w)}[kind](work)
        return made[kind]

    yield get
    for kind in {"aws", "google"} & set(made):
        made[kind].service.close()
    if "transit" in made:
        made["transit"].bao.stop()
    os.environ.pop("SOFTHSM2_CONF", None)


def wraps(volume):
    return {w["type"]: w["id"] for w in volume.status()["wraps"] if w["state"] == "ACTIVE"}


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_two_wraps__each_provider_down_in_turn__volume_starts(kinds, provider, new_volume):
    both = [provider(kind) for kind in kinds]
    volume = new_volume([p.spec("orders") for p in both], *FAST, "--organisation", ORGANISATION)
    volume.mount()
    with open(os.path.join(volume.mountpoint, "file"), "w") as f:
        f.write("kept")
    volume.unmount()
    for down in both:
        down.down()
        volume.mount()
        with open(os.path.join(volume.mountpoint, "file")) as f:
            assert f.read() == "kept"
        assert volume.state() == "OPEN"
        volume.unmount()
        down.up()
    for down in both:
        down.down()
    done = volume.mount(check=False)
    assert done.returncode == 4, done.stderr  # silence, not a denial
    for down in both:
        down.up()


@pytest.mark.parametrize("engine_class", [Sqlite, Redis], ids=lambda c: c.__name__)
def test_rotate_from_kind_to_kind_under_load__nothing_is_lost(engine_class, provider, new_volume, work):
    kinds = [kind for kind in KINDS if not why_missing(kind)]
    for kind in kinds:
        provider(kind)
    volume = new_volume([provider("file").spec("orders")], *FAST, "--organisation", ORGANISATION)
    volume.mount()
    engine = make_engine(engine_class, volume, work)
    engine.init()
    engine.start()
    engine.load(200)
    writer = engine.writer()
    writer.wait_for(5)
    for kind in [kind for pair in itertools.permutations(kinds, 2) for kind in pair] + ["file"]:
        (wrap,) = wraps(volume).values()
        volume.call("rotate", "--level", "cmek", "--wrap", str(wrap), *provider(kind).spec("orders"))
        writer.wait_for(2)
    acknowledged = writer.finish()
    engine.verify(acknowledged)
    before = engine.fingerprint()
    engine.stop()
    for kind in kinds[1:]:  # the last move went to the file store: the others may go
        provider(kind).destroy("orders")
    volume.unmount()
    volume.mount()
    engine.start()
    assert engine.fingerprint() == before
    engine.stop()
    volume.unmount()
