# SPDX-License-Identifier: Apache-2.0
"""Goal: a volume whose key is in an HSM is created, mounted, rotated, locked and lost as the token says. The token is
SoftHSM 2."""
import os

import pytest

from harness import softhsm


@pytest.fixture
def hsm(work):
    why = softhsm.missing()
    if why:
        pytest.skip(why)
    made = softhsm.SoftHsm(work)
    made.create("orders")
    yield made
    del os.environ["SOFTHSM2_CONF"]


@pytest.fixture
def volume(hsm, new_volume):
    return new_volume([hsm.spec("orders")])


def put(volume, text):
    with open(os.path.join(volume.mountpoint, "file"), "w") as f:
        f.write(text)


def get(volume):
    with open(os.path.join(volume.mountpoint, "file")) as f:
        return f.read()


def active(volume):
    return [w for w in volume.status()["wraps"] if w["state"] == "ACTIVE"]


def test_mount__key_in_a_token__contents_are_there_again(volume):
    volume.mount()
    put(volume, "kept")
    volume.unmount()
    volume.mount()
    assert get(volume) == "kept"
    assert active(volume)[0]["key_version"] == "01"


def test_rotate__new_version_of_the_key__old_one_can_be_destroyed(volume, hsm):
    volume.mount()
    put(volume, "kept")
    hsm.create("orders", "02")
    volume.call("rotate", "--level", "cmek")
    assert active(volume)[0]["key_version"] == "02"
    hsm.destroy("orders", "01")
    volume.unmount()
    volume.mount()
    assert get(volume) == "kept"


def test_destroy_the_key__mounted_volume_locks(volume, hsm):
    volume.mount()
    put(volume, "kept")
    hsm.destroy("orders")
    volume.wait_state("LOCKED")
    with pytest.raises(OSError):
        get(volume)
    volume.unmount()
    done = volume.mount(check=False)
    assert done.returncode == 3, done.stderr
    assert "no such AES key" in done.stderr


def test_token_gone__grace_and_back(volume, hsm):
    volume.mount()
    put(volume, "kept")
    hsm.unplug()
    volume.wait_state("GRACE")
    assert get(volume) == "kept"
    hsm.plug()
    volume.wait_state("OPEN")


def test_mount__token_gone__unreachable(volume, hsm):
    hsm.unplug()
    done = volume.mount(check=False)
    assert done.returncode == 4, done.stderr
    assert "C_Initialize" in done.stderr  # SoftHSM does not even start without its directory


def test_mount__wrong_pin__told_and_token_does_not_lock(volume, hsm):
    hsm.write_pin("9999")
    for _ in range(6):  # SoftHSM, like many, allows a few mistakes
        done = volume.mount(check=False)
        assert done.returncode == 4, done.stderr
        assert "PIN" in done.stderr
    hsm.write_pin(softhsm.PIN)
    volume.mount()
