# SPDX-License-Identifier: Apache-2.0
"""Goal: with keys in the embedded key service, in a customer's account, through a role with an ExternalId, every way in which
the customer can say no locks the volume, and taking it back opens it; a service that is gone is bridged."""
import base64
import os

import pytest

from harness import memory, softhsm
from harness.key_service import ORGANISATION, PROVIDER, GoogleService, KeyService

EXIT_DENIED, EXIT_UNREACHABLE = 3, 4
FAST = ("--probe", "200ms", "--lease", "2s", "--organisation", ORGANISATION)


@pytest.fixture
def service(cli, work):
    made = KeyService(cli, work)
    made.create("orders")
    made.let_in("orders")
    yield made
    made.close()


@pytest.fixture
def volume(service, new_volume):
    made = new_volume([service.spec("orders")], *FAST)
    made.mount()
    with open(os.path.join(made.mountpoint, "file"), "w") as f:
        f.write("kept")
    return made


def read(volume):
    with open(os.path.join(volume.mountpoint, "file")) as f:
        return f.read()


WAYS = {
    "key disabled": (lambda s: s.key("disable", "orders"), lambda s: s.key("enable", "orders")),
    "role deleted": (lambda s: s.shut_out(), lambda s: s.let_in("orders")),
    "key pending deletion": (lambda s: s.key("schedule-deletion", "orders", "--days", "7", "--yes"),
                             lambda s: (s.key("cancel-deletion", "orders"), s.key("enable", "orders"))),
}


@pytest.mark.parametrize("way", WAYS, ids=lambda w: w.replace(" ", "-"))
def test_customer_says_no__volume_locks__and_opens_again(way, service, volume):
    take, give = WAYS[way]
    take(service)
    volume.wait_state("LOCKED")
    with pytest.raises(OSError):
        read(volume)
    give(service)
    volume.wait_state("OPEN")
    assert read(volume) == "kept"


def test_lock__no_key_is_left_in_memory__not_as_base64_either(service, volume):
    """A reply of the service carries the store key as base64, in JSON, over HTTP."""
    keys = memory.keys_of(volume, memory.backing_file_of(volume, os.path.join(volume.mountpoint, "file")))
    found, _ = memory.scan(volume.pid, keys)
    assert found, "the search must find keys while they are there"
    keys.update({f"base64 of {name}": base64.b64encode(key) for name, key in list(keys.items())})
    service.key("disable", "orders")
    volume.wait_state("LOCKED")
    found, searched = memory.scan(volume.pid, keys)
    assert searched > 0 and not found, found


def test_service_killed__grace__and_open_again(service, volume):
    service.kill()
    volume.wait_state("GRACE")
    assert read(volume) == "kept"
    service.start()
    volume.wait_state("OPEN")


def test_other_organisation__same_role__is_denied(service, new_volume):
    with pytest.raises(AssertionError, match="ExternalId org-2"):
        new_volume([service.spec("orders")], "--organisation", "org-2")


def test_provider_without_the_role__is_denied(service, cli, work):
    done = cli.run("volume", "create", os.path.join(work, "v"), "--key", f"aws_kms:{service.arn('orders')}", check=False)
    assert done.returncode == EXIT_DENIED
    assert "kms:Encrypt" in done.stderr
    assert not os.path.exists(os.path.join(work, "v"))


def test_each_use__is_in_the_audit_log(service, volume):
    uses = [e for e in service.events() if e["operation"] == "kms:Decrypt"]
    assert uses and all(e["context"]["organisation"] == ORGANISATION for e in uses)
    assert all(e["principal"].startswith("arn:aws:sts::") and PROVIDER not in e["principal"] for e in uses)
    assert volume.state() == "OPEN"


def test_new_version_of_the_key__rotate__wrap_is_under_it(service, volume):
    before = volume.status()["wraps"][0]["key_version"]
    service.key("rotate", "orders")
    volume.call("rotate", "--level", "cmek")
    active = [w for w in volume.status()["wraps"] if w["state"] == "ACTIVE"]
    assert len(active) == 1 and active[0]["key_version"] != before
    assert read(volume) == "kept"


def test_root_key_in_a_token__service_starts_only_with_it(cli, work):
    why = softhsm.missing()
    if why:
        pytest.skip(why)
    hsm = softhsm.SoftHsm(work)
    hsm.create("root")
    service = KeyService(cli, work, root_key=hsm.spec("root")[1])
    try:
        service.create("orders")
        service.stop()
        hsm.unplug()
        done = service.run("serve", "--listen", "127.0.0.1:0", check=False)
        assert done.returncode == EXIT_UNREACHABLE, done.stderr
        hsm.plug()
        service.start()
        assert service.arn("orders").startswith("arn:aws:kms:")
    finally:
        service.close()
        os.environ.pop("SOFTHSM2_CONF", None)


def test_google_wire__version_disabled_and_enabled__volume_locks_and_opens(cli, work, new_volume):
    service = GoogleService(cli, work)
    try:
        service.create("orders")
        volume = new_volume([service.spec("orders")], *FAST)
        volume.mount()
        service.state("orders", "DISABLED")
        volume.wait_state("LOCKED")
        service.state("orders", "ENABLED")
        volume.wait_state("OPEN")
        volume.unmount()
    finally:
        service.close()
