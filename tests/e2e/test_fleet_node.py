# SPDX-License-Identifier: Apache-2.0
"""Goal: a node brings its volumes to what the control plane wants, whatever is cut off when; what is revoked is never open, and
nothing is lost. The control plane is a script that knows docs/NODES.md only (harness/control_plane.py)."""
import glob
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import time
import uuid

import pytest
from harness import proc
from harness.control_plane import LEASE, ControlPlane, Node
from harness.key_service import CUSTOMER, ORGANISATION, ROLE, KeyService
from harness.keystead import ROOT, Failed, KeyStore, Keystead

MANY = 20


@pytest.fixture
def cli():
    return Keystead()


@pytest.fixture
def plane(work):
    made = ControlPlane(os.path.join(work, "plane"))
    yield made
    made.stop()


@pytest.fixture
def idle(cli, plane, work):
    """A node that has not joined."""
    made = Node(cli, plane, os.path.join(work, "node"), "--keep-deleted", "1h")
    yield made
    if made.process and made.process.poll() is None:
        made.kill()


@pytest.fixture
def node(idle):
    idle.join()
    return idle.start()


@pytest.fixture
def store(cli, work):
    made = KeyStore(cli, os.path.join(work, "keys")).init()
    for name in ("one", "two"):
        made.create(name)
    return made


def file_key(store, name):
    """A customer's key as a wish names it; its id follows from the name."""
    return {"id": f"00000000-0000-4000-8000-{name.encode().hex().zfill(12)}", "type": "FILE", "uri": f"{store.path}#{name}",
            "auth_principal": store.key_file}


def is_readable(node, volume, name="file"):
    try:
        node.read(volume, name)
        return True
    except OSError:
        return False


def state(node, volume):
    """None while its process is not there."""
    try:
        return node.status(volume)["state"]
    except Failed:
        return None


def enable(plane, volume, key, before=None):
    """In two phases, as the control plane does it: at no time does nothing open the volume."""
    plane.want(volume, keys=[key] + ([before] if before else []), platform=before is None)
    plane.wait_reached(volume)
    plane.want(volume, keys=[key], platform=False)
    return plane.wait_reached(volume)[0]


# --- joining ---


def test_join__files_are_for_the_owner_only_and_a_token_is_good_once(idle, plane):
    token = plane.token()
    assert plane.url(1) in json.loads(idle.join(token, True, "-o", "json").stdout)["nodes_url"]
    assert stat.S_IMODE(os.stat(os.path.join(idle.dir, "node.pem")).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.join(idle.dir, "volumes")).st_mode) == 0o700
    again = idle.join(plane.token(), check=False)
    assert again.returncode == 2 and "joined a fleet already" in again.stderr
    other = Node(idle.cli, plane, idle.dir + "2")
    refused = other.join(token, check=False)
    assert refused.returncode == 2 and "the token is not valid" in refused.stderr


def test_join__server_of_another_authority__is_sent_nothing(idle, plane):
    token = plane.token(fingerprint="0" * 64)
    refused = idle.join(token, check=False)
    assert refused.returncode == 6 and "is not the control plane that made this token" in refused.stderr
    assert token.rpartition("_")[0] in plane.tokens, "the secret was not used"
    assert token.split("_")[2] not in refused.stderr


def test_join__twice_at_once__the_second_is_told_and_sends_nothing(idle, plane, work):
    path = os.path.join(work, "first.token")
    with open(path, "w", encoding="ascii") as f:
        f.write(plane.token())
    token = plane.token()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        first = subprocess.Popen([idle.cli.binary, "node", "join", "--server", f"http://127.0.0.1:{silent.getsockname()[1]}",
                                  "--token-file", path, "--dir", idle.dir, "--address", "127.0.0.1"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        asking, _ = silent.accept()
        second = idle.join(token, check=False)
        assert second.returncode == 5 and "another keystead node join works on" in second.stderr
        assert token.rpartition("_")[0] in plane.tokens, "the secret was not used"
        asking.close()
    said = first.communicate(timeout=60)[0]
    assert first.returncode not in (0, 5), said
    idle.join(token)


@pytest.mark.parametrize("token", ["", "ksj_x", "hello", "ksj_a_b_" + "g" * 64, "ksj_" + "x" * 600])
def test_join__no_token__refused(idle, token):
    refused = idle.join(token or " ", check=False)
    assert refused.returncode == 2 and "token" in refused.stderr


def test_run__before_it_has_joined__says_how(idle):
    os.mkdir(idle.dir)
    refused = idle.cli.run("node", "run", "--dir", idle.dir, check=False)
    assert refused.returncode == 2 and "keystead node join" in refused.stderr


def test_run__twice_on_one_directory__busy(node, plane):
    plane.wait_reached(plane.want())
    second = node.cli.run("node", "run", "--dir", node.dir, check=False)
    assert second.returncode == 5 and "another keystead node" in second.stderr


def test_run__certificate_ages__is_renewed(idle, plane):
    plane.ageing_certificates = True
    idle.join()
    idle.start("--version-check", "1s")
    plane.wait(lambda: plane.renewals, "it asks for another one")
    proc.wait_until(lambda: "is renewed" in proc.tail(idle.log), "it has another one")
    plane.wait_reached(plane.want())


def test_run__certificate_has_expired__holds_what_was_wished_and_comes_back_with_a_token(node, plane, store):
    volume, revoked, denied = plane.want(), plane.want(), plane.want(keys=[file_key(store, "one")], platform=False)
    plane.wait_reached(volume, revoked, denied)
    node.write(volume, "file", "kept")
    node.write(denied, "file", "kept")
    plane.want(revoked, revoked=True)
    plane.wait_access("LOCKED", revoked)
    node.stop()
    node.let_certificate_expire()
    plane.reported.clear()
    node.start()
    proc.wait_until(lambda: is_readable(node, volume) and is_readable(node, denied), "they are mounted again")
    proc.wait_until(lambda: state(node, revoked) == "LOCKED", "what was revoked stays locked")
    proc.wait_until(lambda: "certificate of this node has expired" in proc.tail(node.log), "it says so")
    assert "keystead node join" in proc.tail(node.log) and "region us-west-2" in proc.tail(node.log)
    store.disable("one")
    proc.wait_until(lambda: not is_readable(node, denied), "a no of the key service locks all the same")
    assert not plane.reported
    node_id = plane.node_id
    joined = node.join(plane.token(), True, "-o", "json")
    assert json.loads(joined.stdout)["node"] == node_id == plane.node_id
    plane.wait_access("OPEN", volume)
    plane.wait_access("LOCKED", revoked, denied)
    assert "this node has a new certificate" in proc.tail(node.log)
    plane.restore(revoked)
    plane.wait_access("OPEN", revoked)
    assert node.read(volume, "file") == "kept"


def test_join__expired_but_of_another_fleet__is_sent_nothing(node, plane, work):
    plane.wait_reached(plane.want())
    node.stop()
    node.let_certificate_expire()
    other = ControlPlane(os.path.join(work, "other"))
    try:
        token = other.token()
        path = os.path.join(work, "other.token")
        with open(path, "w") as f:
            f.write(token)
        refused = node.cli.run("node", "join", "--server", other.url(), "--token-file", path, "--dir", node.dir, check=False)
        assert refused.returncode == 6 and "another authority" in refused.stderr
        assert token.rpartition("_")[0] in other.tokens, "the secret was not used"
    finally:
        other.stop()


# --- the life of volumes ---


def test_life__create_enable_rotate_revoke_restore_delete(node, plane, store, work):
    volumes = [plane.want() for _ in range(3)]
    for report in plane.wait_reached(*volumes):
        assert (report["access"], report["platform"], report["keys"]) == ("OPEN", True, [])
        assert set(report["requests_failed"].values()) == {0} and "no_space" in report["requests_failed"]
    for volume in volumes:
        node.write(volume, "file", volume)

    one, two = file_key(store, "one"), file_key(store, "two")
    for volume in volumes:
        report = enable(plane, volume, one)
        assert report["platform"] is False
        assert [(k["id"], k["state"], k["version"]) for k in report["keys"]] == [(one["id"], "ACTIVE", "1")]
    report = enable(plane, volumes[0], two, before=one)
    assert [k["id"] for k in report["keys"]] == [two["id"]]
    active = [w for w in node.status(volumes[0])["wraps"] if w["state"] == "ACTIVE"]
    assert [w["uri"] for w in active] == [two["uri"]]

    plane.want(volumes[1], serials={"rewrap": 1, "store": 1, "data": 1, "reencrypt": 1})
    plane.wait(lambda: plane.reported[volumes[1]]["serials"]["reencrypt"] == 1, "it is re-encrypted")
    assert [g["state"] for g in node.status(volumes[1])["generations"]] == ["DESTROYED", "NEWEST"]

    plane.want(volumes[0], revoked=True)
    report, = plane.wait_access("LOCKED", volumes[0])
    assert report["cause"] == "REVOKED"
    assert not is_readable(node, volumes[0]) and is_readable(node, volumes[1])
    receipt, = plane.wait(lambda: plane.receipts_of(volumes[0]), "there is a receipt")
    assert (receipt["reason"], receipt["keys"]) == ("REVOKED", [{"type": "FILE", "uri": two["uri"]}])
    plane.restore(volumes[0])
    plane.wait_access("OPEN", volumes[0])
    assert node.read(volumes[0], "file") == volumes[0]

    plane.want(volumes[2], state="ABSENT")
    plane.wait(lambda: plane.reported[volumes[2]]["access"] == "NONE", "it is gone")
    kept = os.listdir(os.path.join(node.dir, "deleted"))
    assert [k.split(".")[0] for k in kept] == [volumes[2]]
    proc.wait_until(lambda: not os.path.exists(os.path.join(node.dir, "volumes", volumes[2])), "it is forgotten")


def test_receipt__verifies_and_no_byte_may_change(node, plane, work):
    volume = plane.want()
    plane.wait_reached(volume)
    plane.want(volume, revoked=True)
    plane.wait(lambda: plane.receipts, "there is a receipt")
    path = os.path.join(work, "receipt.json")

    def verify(receipt):
        with open(path, "w") as f:
            json.dump(receipt, f)
        return node.cli.run("receipt", "verify", path, "--ca-file", plane.authority.cert, check=False)

    good = verify(plane.receipts[0])
    assert good.returncode == 0 and volume in good.stdout
    changed = {**plane.receipts[0], "text": plane.receipts[0]["text"].replace('"goal":2', '"goal":3')}
    assert changed["text"] != plane.receipts[0]["text"]
    assert verify(changed).returncode == 6


def test_revoke__of_a_volume_that_was_never_made__is_locked_with_a_receipt(node, plane, store):
    store.disable("one")
    volume = plane.want(keys=[file_key(store, "one")], platform=False)
    report, = plane.wait(lambda: [r for r in plane.reported.values() if r["keys"] and r["keys"][0]["state"] == "FAILED"],
                         "its key is refused")
    assert report["keys"][0]["error"]["code"] == "KEY_DISABLED" and "kms key enable" in report["keys"][0]["error"]["message"]
    plane.want(volume, revoked=True)
    plane.wait_access("LOCKED", volume)
    plane.wait(lambda: plane.receipts_of(volume), "there is a receipt")


def test_key__that_is_refused__keeps_the_one_that_opens(node, plane, store):
    volume = plane.want()
    plane.wait_reached(volume)
    store.disable("one")
    plane.want(volume, keys=[file_key(store, "one")], platform=False)
    plane.wait(lambda: plane.reported[volume]["keys"] and plane.reported[volume]["keys"][0]["state"] == "FAILED", "it is refused")
    report = plane.reported[volume]
    assert (report["access"], report["platform"]) == ("OPEN", True) and not plane.is_reached(volume)
    store.enable("one")
    report, = plane.wait_reached(volume)
    assert (report["access"], report["platform"]) == ("OPEN", False)


def test_key__of_the_wish_gone_without_another__the_last_one_stays(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    plane.want(volume, platform=False)
    other = plane.want()
    plane.wait_reached(other)
    assert not plane.is_reached(volume)
    assert len([w for w in node.status(volume)["wraps"] if w["state"] == "ACTIVE"]) == 1


def test_keys__all_of_them_changed_at_once__old_beside_new_then_new_alone(node, plane, store):
    for name in ("a", "b", "c", "d", "e", "f"):
        store.create(name)
    old, new = ([file_key(store, n) for n in names] for names in ("abc", "def"))
    volume = plane.want(keys=old, platform=False)
    plane.wait_reached(volume)
    node.write(volume, "file", "kept")
    plane.want(volume, keys=old + new)
    plane.wait_reached(volume)
    plane.want(volume, keys=new)
    report, = plane.wait_reached(volume)
    assert [k["state"] for k in report["keys"]] == ["ACTIVE"] * 3
    assert node.read(volume, "file") == "kept"


def test_keys__more_than_a_volume_has_room_for_at_a_time__go_and_come_one_by_one(node, plane, store):
    names = [f"k{i}" for i in range(10)]
    for name in names:
        store.create(name)
    old, new = ([file_key(store, n) for n in part] for part in (names[:5], names[5:]))
    volume = plane.want(keys=old, platform=False)
    plane.wait_reached(volume)
    node.write(volume, "file", "kept")
    plane.want(volume, keys=new)
    report, = plane.wait_reached(volume)
    assert [k["state"] for k in report["keys"]] == ["ACTIVE"] * 5
    assert sorted(w["uri"] for w in node.status(volume)["wraps"] if w["state"] == "ACTIVE") == sorted(k["uri"] for k in new)
    assert node.read(volume, "file") == "kept"


def test_lease__is_changed_while_it_is_open(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    plane.want(volume, lease={"lease_ms": 3000, "probe_ms": 300, "grace_ms": 1000})
    proc.wait_until(lambda: node.status(volume)["lease"]["grace_ms"] == 1000, "the lease is the new one")


def test_newer_version_of_a_key__is_followed_when_wished(idle, plane, store):
    idle.join()
    idle.start("--version-check", "1s")
    follower = plane.want(keys=[file_key(store, "one")], platform=False, rewrap_automatically=True)
    other = plane.want(keys=[file_key(store, "one")], platform=False)
    plane.wait_reached(follower, other)
    store.rotate("one")
    plane.wait(lambda: plane.reported[follower]["keys"][0]["version"] == "2", "it is under version 2")
    assert plane.reported[other]["keys"][0]["version"] == "1"


def test_check__tells_each_key_and_what_mends_it(node, plane, store):
    plane.wait_reached(plane.want())
    store.disable("two")
    check = plane.check([file_key(store, name) for name in ("one", "two", "none")])
    good, disabled, missing = plane.wait(lambda: plane.results.get(check), "the check is reported")
    assert good["outcome"] == "OK"
    assert (disabled["outcome"], disabled["code"]) == ("DENIED", "KEY_DISABLED") and "kms key enable" in disabled["mend"]
    assert (missing["outcome"], missing["code"]) == ("DENIED", "KEY_NOT_FOUND")


def test_locked_on_its_host__is_told_and_left_so(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    node.cli.run("volume", "lock", node.mountpoint(volume), "--yes")
    report, = plane.wait_access("LOCKED", volume)
    assert report["cause"] == "REVOKED" and "on its host" in report["message"]
    plane.restore(volume)
    plane.wait_access("OPEN", volume)


# --- what may be away ---


def test_agent__restarted__finds_the_processes_that_run(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    node.write(volume, "file", "kept")
    before = node.status(volume)["volume"]["pid"]
    node.restart()
    plane.reported.clear()
    plane.wait_reached(volume)
    assert node.status(volume)["volume"]["pid"] == before and node.read(volume, "file") == "kept"


def test_agent__told_to_end__unmounts_or_leaves_running(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    node.write(volume, "file", "kept")
    node.stop()
    assert not proc.mounts_below(node.dir)
    node.start("--leave-running")
    proc.wait_until(lambda: is_readable(node, volume), "it is mounted again")
    node.stop()
    assert node.read(volume, "file") == "kept"


def test_volume_process__killed__comes_back(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    node.write(volume, "file", "kept")
    before = node.status(volume)["volume"]["pid"]
    os.kill(before, 9)
    proc.wait_until(lambda: is_readable(node, volume), "it is mounted again")
    assert node.status(volume)["volume"]["pid"] != before


def test_control_plane__away__what_it_wanted_holds(node, plane):
    volume, revoked = plane.want(), plane.want()
    plane.wait_reached(volume, revoked)
    for v in (volume, revoked):
        node.write(v, "file", "kept")
    plane.want(revoked, revoked=True)
    plane.wait_access("LOCKED", revoked)
    plane.stop()
    node.restart()
    os.kill(node.status(volume)["volume"]["pid"], 9)
    os.kill(node.status(revoked)["volume"]["pid"], 9)
    proc.wait_until(lambda: is_readable(node, volume), "it is mounted again")
    proc.wait_until(lambda: state(node, revoked) == "LOCKED", "the revoked one is locked again")
    assert not is_readable(node, revoked)
    plane.reported.clear()
    plane.start()
    plane.restore(revoked)
    plane.wait_access("OPEN", volume, revoked)


def test_reports__refused_for_a_while__nothing_is_lost(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    plane.is_refusing_reports = True
    plane.want(volume, revoked=True)
    proc.wait_until(lambda: os.listdir(os.path.join(node.dir, "receipts")), "the receipt is on the disk")
    node.restart()
    plane.is_refusing_reports = False
    plane.wait_access("LOCKED", volume)
    plane.wait(lambda: plane.receipts_of(volume), "the receipt came")
    proc.wait_until(lambda: not os.listdir(os.path.join(node.dir, "receipts")), "and is not kept any longer")


def test_report__parts_are_refused__the_rest_is_heard_and_the_log_says_why(node, plane):
    volume, other = plane.want(), plane.want()
    plane.wait_reached(volume, other)
    plane.is_refusing_receipts = True
    plane.want(volume, revoked=True)
    plane.wait_access("LOCKED", volume)
    proc.wait_until(lambda: "refuses receipts[0] of a report: it is signed by nobody" in proc.tail(node.log), "it is told")
    proc.wait_until(lambda: not os.listdir(os.path.join(node.dir, "receipts")), "it is not sent again")
    plane.is_refusing_receipts = False
    plane.want(other, revoked=True)
    plane.wait(lambda: plane.receipts_of(other), "the next receipt is heard")


def test_receipt__no_room_for_it_on_the_disk__is_told_and_keeps_nothing_waiting(node, plane, store):
    volume, denied = plane.want(), plane.want(keys=[file_key(store, "one")], platform=False)
    plane.wait_reached(volume, denied)
    os.rmdir(os.path.join(node.dir, "receipts"))  # nothing can be made in it any more
    store.disable("one")
    plane.wait_access("LOCKED", denied)
    receipt, = plane.wait(lambda: plane.receipts_of(denied), "there is a receipt")
    assert receipt["reason"] == "DENIED" and "in memory alone" in proc.tail(node.log)
    plane.want(denied, state="ABSENT")
    plane.wait(lambda: plane.reported[denied]["access"] == "NONE", "it is gone")
    plane.want(volume, revoked=True)
    plane.wait(lambda: plane.receipts_of(volume), "another receipt")


def test_wish__no_room_for_it_on_the_disk__is_written_once_there_is(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    path = os.path.join(node.dir, "volumes", volume, "wish.json")
    os.mkdir(path + ".tmp")  # where its next text would be made
    plane.want(volume, lease={"lease_ms": 3000, "probe_ms": 200, "grace_ms": 60000})
    goal = plane.wait_reached(volume)[0]["goal"]
    os.rmdir(path + ".tmp")

    def kept():
        with open(path) as f:
            return json.load(f)["goal"] == goal
    proc.wait_until(kept, "the wish is on the disk")


def test_receipts__more_than_one_report_holds__come_in_several(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    plane.is_refusing_reports = True
    plane.want(volume, revoked=True)
    receipts = os.path.join(node.dir, "receipts")
    proc.wait_until(lambda: os.listdir(receipts), "the receipt is on the disk")
    node.kill()
    first = os.path.join(receipts, os.listdir(receipts)[0])
    for n in range(450):
        shutil.copy(first, os.path.join(receipts, f"00000000-0000-4000-8000-{n:012x}.json"))
    plane.is_refusing_reports = False
    node.start()
    proc.wait_until(lambda: not os.listdir(receipts), "all of them were told")
    assert len(plane.receipts_of(volume)) >= 451
    assert max(len(r["receipts"]) for r in plane.reports) <= 200


def test_revoke__restored_and_revoked_again_meanwhile__has_a_receipt_of_its_own(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    plane.want(volume, revoked=True)
    plane.wait(lambda: plane.receipts_of(volume), "the receipt of the first")
    plane.stop()
    plane.restore(volume)
    goal = plane.wishes[plane.want(volume, revoked=True)]["goal"]
    plane.start()
    plane.wait(lambda: [r for r in plane.receipts_of(volume) if r["goal"] == goal], "the receipt of the second")
    assert not is_readable(node, volume)


def test_revoke__engine_hangs_in_its_first_initialisation__locks_all_the_same(idle, plane, work):
    """A disk that is dead under the engine's own thread: here it waits for somebody to read from a pipe."""
    engines = os.path.join(work, "engines")
    os.mkdir(engines)
    idle.join()
    idle.start("--engines", engines)
    volume = plane.want(engine="slow")
    plane.wait_access("OPEN", volume)
    plane.wait(lambda: plane.reported[volume]["engine"]["state"] == "FAILED", "there is no such engine")
    idle.write(volume, "file", "kept")
    place = os.path.join(idle.mountpoint(volume), "engine")
    os.makedirs(os.path.join(place, "log"))
    os.mkfifo(os.path.join(place, "log", "engine.log"))
    with open(os.path.join(engines, "slow.yml"), "w") as f:
        f.write("name: slow\nhint: none\nusers: [nobody]\nprograms: {sh: [/bin/sh]}\nstart: {program: sh, arguments: [-c, sleep 1000]}\n")
    proc.wait_until(lambda: os.path.exists(os.path.join(place, "initialised")), "the engine begins")
    plane.want(volume, revoked=True)
    plane.wait_access("LOCKED", volume)
    assert not is_readable(idle, volume)
    receipt, = plane.wait(lambda: plane.receipts_of(volume), "there is a receipt")
    assert receipt["engine_stopped_ms"] == -1


def opens(node, volume):
    """Whether a file can be opened and read, without asking for anything that the kernel does not have."""
    try:
        fd = os.open(os.path.join(node.mountpoint(volume), "file"), os.O_RDONLY)
        os.pread(fd, 4, 0)
        os.close(fd)
        return True
    except OSError:
        return False


def test_revoke__volume_process_that_does_not_answer__is_killed_and_stays_locked(node, plane):
    volume, other = plane.want(), plane.want()
    plane.wait_reached(volume, other)
    node.write(volume, "file", "kept")
    node.write(other, "file", "kept")
    assert node.read(volume, "file") == "kept"  # the kernel has it in memory now
    pid = node.status(volume)["volume"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    plane.want(volume, revoked=True)
    plane.want(other, revoked=True)
    plane.wait_access("LOCKED", other)
    assert not is_readable(node, other)
    report, = plane.wait_access("LOCKED", volume)
    assert report["cause"] == "REVOKED"
    assert not opens(node, volume)
    proc.wait_gone(pid)
    assert not opens(node, volume)
    assert "does not lock, so it is killed" in proc.tail(node.log)
    plane.wait(lambda: plane.receipts_of(volume), "there is a receipt")
    plane.restore(volume)
    plane.wait_access("OPEN", volume)
    assert node.read(volume, "file") == "kept"


@pytest.mark.parametrize("is_hanging", [False, True], ids=["in_use", "hangs"])
def test_revoke__of_a_volume_that_is_then_deleted__is_closed_all_the_same(node, plane, is_hanging):
    volume = plane.want()
    plane.wait_reached(volume)
    node.write(volume, "file", "secret")
    pid = node.status(volume)["volume"]["pid"]
    with open(os.path.join(node.mountpoint(volume), "file")) as used:
        node.kill()
        if is_hanging:
            os.kill(pid, signal.SIGSTOP)
        plane.want(volume, revoked=True)
        plane.want(volume, revoked=True, state="ABSENT")
        node.start()
        proc.wait_gone(pid)
        if not is_hanging:  # what a killed one leaves in the kernel is cut with the descriptor only
            with pytest.raises(OSError):
                used.read()
    proc.wait_until(lambda: not os.listdir(os.path.join(node.dir, "volumes")), "nothing is left of it")
    plane.wait(lambda: plane.receipts_of(volume), "there is a receipt")
    assert len(plane.receipts_of(volume)) == 1


def test_revoke__cannot_be_recorded__locks_with_a_receipt_and_is_recorded_once_it_can(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    node.write(volume, "file", "kept")
    backing = os.path.join(node.dir, "volumes", volume, "backing")
    if proc.run(["chattr", "+i", backing], check=False).returncode != 0:
        pytest.skip("directories cannot be made immutable here")
    try:
        plane.want(volume, revoked=True)
        plane.wait_access("LOCKED", volume)
        assert not is_readable(node, volume)
        plane.wait(lambda: plane.receipts_of(volume), "there is a receipt")
        assert "is not locked yet" in proc.tail(node.log) and not os.path.exists(os.path.join(backing, "revoked"))
    finally:
        proc.run(["chattr", "-i", backing])
    proc.wait_until(lambda: os.path.exists(os.path.join(backing, "revoked")), "it is recorded")
    plane.restore(volume)
    plane.wait_access("OPEN", volume)
    assert node.read(volume, "file") == "kept"


def test_volume__absent_while_its_process_is_killed__leaves_no_mount(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    pid = node.status(volume)["volume"]["pid"]
    node.kill()
    os.kill(pid, 9)
    wish = os.path.join(node.dir, "volumes", volume, "wish.json")
    with open(wish) as f:
        text = json.load(f)
    with open(wish, "w") as f:
        json.dump({**text, "state": "ABSENT"}, f)
    plane.want(volume, state="ABSENT")
    node.start()
    plane.wait_reached(volume)
    proc.wait_until(lambda: not os.path.lexists(node.mountpoint(volume)), "nothing is mounted there any more")
    proc.wait_until(lambda: not os.listdir(os.path.join(node.dir, "volumes")), "nothing is left of it")


def test_wish_on_disk__damaged__waits_for_the_control_plane(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    node.write(volume, "file", "kept")
    node.kill()
    plane.stop()
    for name, text in (("wish.json", "{\"volume\": "), ("deed.json", "")):
        with open(os.path.join(node.dir, "volumes", volume, name), "w") as f:
            f.write(text)
    node.start()
    proc.wait_until(lambda: "waits for the control plane" in proc.tail(node.log), "it says so")
    plane.reported.clear()
    plane.start()
    plane.wait_reached(volume)
    assert node.read(volume, "file") == "kept"


def test_backing_directory__gone__is_told_and_not_made_anew(node, plane):
    volume = plane.want()
    plane.wait_reached(volume)
    node.stop()
    os.rename(os.path.join(node.dir, "volumes", volume, "backing"), os.path.join(node.dir, "elsewhere"))
    plane.reported.clear()
    node.start()
    report, = plane.wait_access("FAILED", volume)
    assert "backing directory is gone" in report["message"]
    node.kill()
    os.rename(os.path.join(node.dir, "elsewhere"), os.path.join(node.dir, "volumes", volume, "backing"))
    node.start()
    plane.wait_access("OPEN", volume)


# --- the key service ---


# --- a keyring that is put back ---


def keyring_paths(node, volume):
    return [os.path.join(node.dir, "volumes", volume, "backing", f"keyring.{n}") for n in range(2)]


def keep_keyring(node, volume):
    return [open(path, "rb").read() for path in keyring_paths(node, volume)]


def put_keyring_back(node, volume, kept):
    for path, data in zip(keyring_paths(node, volume), kept):
        with open(path, "wb") as f:
            f.write(data)


def noted(node, volume):
    with open(os.path.join(node.dir, "volumes", volume, "deed.json")) as f:
        return json.load(f)["keyring"]


def wait_noted(node, plane, volume, sequence):
    """What was told, and so is on the disk."""
    plane.wait(lambda: plane.reported[volume]["keyring"]["sequence"] == sequence, f"sequence {sequence} is told")
    assert noted(node, volume) == plane.reported[volume]["keyring"]
    return noted(node, volume)


@pytest.fixture
def rotated(node, plane):
    """A volume with a file, its keyring before a rotation, and what the node noted after it."""
    volume = plane.want()
    plane.wait_reached(volume)
    node.write(volume, "file", "kept")
    wait_noted(node, plane, volume, 1)
    kept = keep_keyring(node, volume)
    plane.want(volume, serials={"data": 1})
    plane.wait(lambda: plane.reported[volume]["serials"]["data"] == 1, "it is rotated")
    return volume, kept, wait_noted(node, plane, volume, 2)


def is_rolled_back(plane, volume):
    told = plane.reported.get(volume, {})
    return (told.get("access"), told.get("cause")) == ("FAILED", "ROLLED_BACK")


def wait_rolled_back(plane, volume):
    plane.wait(lambda: is_rolled_back(plane, volume), "it is refused")
    return plane.reported[volume]["message"]


def test_keyring_put_back__is_refused_until_its_own_is_back_and_a_revoke_works_all_the_same(node, plane, rotated):
    volume, kept, anchor = rotated
    node.stop()
    today = keep_keyring(node, volume)
    put_keyring_back(node, volume, kept)
    plane.reported.clear()
    node.start()
    said = wait_rolled_back(plane, volume)
    assert "sequence 1, but one with 2" in said and node.dir not in said
    assert plane.reported[volume]["keyring"] == {**anchor, "found": 1}
    assert state(node, volume) is None and not is_readable(node, volume)
    plane.want(volume, revoked=True)
    assert plane.wait_access("LOCKED", volume)[0]["cause"] == "REVOKED"
    plane.wait_reached(volume)
    plane.restore(volume)
    wait_rolled_back(plane, volume)
    assert keep_keyring(node, volume) == kept
    put_keyring_back(node, volume, today)
    plane.wait_access("OPEN", volume)
    assert node.read(volume, "file") == "kept"


def is_kept_wish(node, volume, goal):
    with open(os.path.join(node.dir, "volumes", volume, "wish.json")) as f:
        return json.load(f)["goal"] == goal


def test_keyring_put_back__newer_wishes_meanwhile__is_told_all_the_time(node, plane, rotated):
    """Each is tried at once. A report that said nothing of the refusal would have the control plane tell the same fact once more; what becomes of
    the other volumes lets one out at any time."""
    volume, kept, _ = rotated
    others = [plane.want() for _ in range(3)]
    plane.wait_reached(*others)
    node.stop()
    put_keyring_back(node, volume, kept)
    plane.reported.clear()
    node.start()
    wait_rolled_back(plane, volume)
    before = len(plane.reports)
    for n in range(1, 9):
        for each in (volume, *others):
            plane.want(each, lease={**LEASE, "grace_ms": LEASE["grace_ms"] + n})
        proc.wait_until(lambda: is_kept_wish(node, volume, plane.wishes[volume]["goal"]), "the node has taken the wish")
    plane.wait_reached(*others)
    key = {"id": str(uuid.uuid4()), "type": "FILE", "uri": "/nowhere#key", "auth_principal": ""}
    plane.want(volume, keys=[key])  # what is told of each key makes a report due, where none was before
    plane.wait(lambda: [k["id"] for k in plane.reported[volume]["keys"]] == [key["id"]], "the last wish is told of")
    told = [v["cause"] for report in plane.reports[before:] for v in report["volumes"] if v["volume"] == volume]
    assert set(told) == {"ROLLED_BACK"}, told


def test_keyring_put_back__with_what_the_node_noted__the_control_plane_knows_and_may_accept_it(node, plane, rotated):
    volume, kept, anchor = rotated
    node.stop()
    put_keyring_back(node, volume, kept)
    for name in ("deed.json", "wish.json"):
        os.unlink(os.path.join(node.dir, "volumes", volume, name))
    plane.want(volume, keyring=anchor)
    plane.reported.clear()
    node.start()
    wait_rolled_back(plane, volume)
    plane.want(volume, keyring={**anchor, "sequence": 1, "accepted": 1})
    plane.wait_access("OPEN", volume)
    assert node.read(volume, "file") == "kept" and noted(node, volume)["accepted"] == 1
    plane.want(volume, keyring=anchor)  # of a copy of the control plane from before: it counts for less
    plane.wait_reached(volume)
    node.stop()
    plane.reported.clear()
    node.start()
    plane.wait_access("OPEN", volume)


def test_keyring_put_back__heard_when_it_is_open_already__is_closed_under_whoever_uses_it(node, plane, rotated):
    volume, _, anchor = rotated
    with open(os.path.join(node.mountpoint(volume), "file")) as used:
        plane.want(volume, keyring={**anchor, "sequence": 9})
        wait_rolled_back(plane, volume)
        with pytest.raises(OSError):
            used.read()
    assert state(node, volume) is None


def test_volume__taken_away_and_made_anew__begins_anew(node, plane, rotated):
    """As after the control plane was restored from a copy: it wants again what it had deleted, and remembers its keyring."""
    volume, _, anchor = rotated
    plane.want(volume, state="ABSENT")
    plane.wait(lambda: plane.reported.get(volume, {}).get("access", "NONE") == "NONE", "it is gone")
    node.stop()
    assert not os.path.exists(node.mountpoint(volume))
    plane.reported.clear()
    plane.want(volume, state="PRESENT", keyring=anchor)
    node.start()
    plane.wait_access("OPEN", volume)
    now = wait_noted(node, plane, volume, 1)
    assert now["volume"] != anchor["volume"] and now["accepted"] == anchor["accepted"] + 1


def test_keyring_of_another_volume__is_refused_and_not_noted(node, plane, rotated):
    volume, _, anchor = rotated
    other = plane.want()
    plane.wait_reached(other)
    wait_noted(node, plane, other, 1)
    node.stop()
    own = keep_keyring(node, other)
    put_keyring_back(node, other, keep_keyring(node, volume))
    plane.reported.clear()
    node.start()
    plane.wait_access("OPEN", volume)
    plane.wait(lambda: "that of another volume" in plane.reported.get(other, {}).get("message", ""), "it is refused")
    assert noted(node, other)["sequence"] == 1 and noted(node, other)["volume"] != anchor["volume"]
    put_keyring_back(node, other, own)
    plane.wait_access("OPEN", other)


@pytest.mark.parametrize("place", (0, 1))
def test_keyring_of_another_volume__in_one_of_the_two_places__opens_with_its_own_and_is_told(node, plane, rotated, place):
    """The foreign one has the higher sequence, and a key that is granted here opens it."""
    volume, _, anchor = rotated
    other = plane.want()
    plane.wait_reached(other)
    own = wait_noted(node, plane, other, 1)
    node.write(other, "file", "its own")
    node.stop()
    kept, foreign = keep_keyring(node, other), keep_keyring(node, volume)
    put_keyring_back(node, other, [foreign[i] if i == place else kept[i] for i in range(2)])
    plane.reported.clear()
    node.start()
    plane.wait_access("OPEN", volume, other)
    assert node.read(other, "file") == "its own" and node.read(volume, "file") == "kept"
    assert noted(node, other) == own and keep_keyring(node, other) == kept
    assert f"keyring.{place} in its backing directory is the keyring of another volume" in proc.tail(node.log)


# --- a process whose disk is not what it was ---


def backing_of(node, volume):
    return os.path.join(node.dir, "volumes", volume, "backing")


def put_foreign(node, volume, other):
    put_keyring_back(node, volume, keep_keyring(node, other))


def put_damage(node, volume, _):
    put_keyring_back(node, volume, [b"damaged", b"damaged"])


def take_keyring_away(node, volume, _):
    for path in keyring_paths(node, volume):
        os.unlink(path)


def take_directory_away(node, volume, _):
    os.rename(backing_of(node, volume), backing_of(node, volume) + ".away")


def exchange_directory(node, volume, other):
    take_directory_away(node, volume, other)
    shutil.copytree(backing_of(node, other), backing_of(node, volume))


CHANGES = (put_foreign, put_damage, take_keyring_away, take_directory_away, exchange_directory)


def ask_process(keyring, op):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(os.path.join(os.environ.get("KEYSTEAD_RUN_DIR", "/run/keystead"), f"{keyring}.sock"))
        s.sendall(json.dumps({"op": op}).encode() + b"\n")
        return json.loads(s.makefile().readline())


@pytest.fixture
def beside(node, plane):
    """Two volumes with a file each."""
    volumes = plane.want(), plane.want()
    plane.wait_reached(*volumes)
    for volume in volumes:
        node.write(volume, "file", "kept")
        wait_noted(node, plane, volume, 1)
    return volumes


def change_under_process(node, plane, change, volume, other):
    """While no agent runs, and the volume's process goes on."""
    node.kill()
    change(node, volume, other)
    plane.reported.clear()


@pytest.mark.parametrize("change", CHANGES)
def test_revoke__agent_restarted_over_another_disk__locks_the_process_that_runs(node, plane, beside, change):
    volume, other = beside
    own = noted(node, volume)["volume"]
    pid = node.status(volume)["volume"]["pid"]
    change_under_process(node, plane, change, volume, other)
    plane.want(volume, revoked=True)
    with open(os.path.join(node.mountpoint(volume), "file")) as used:
        node.start()
        report, = plane.wait_access("LOCKED", volume)
        assert report["cause"] == "REVOKED"
        with pytest.raises(OSError):
            used.read()
    assert not is_readable(node, volume)
    told = ask_process(own, "status")
    assert (told["volume"]["pid"], told["state"], told["revoked"]) == (pid, "LOCKED", True)
    plane.wait(lambda: plane.receipts_of(volume), "there is a receipt")
    receipt, = plane.receipts_of(volume)
    assert receipt["reason"] == "REVOKED" and receipt["handles_cut"] >= 1 and receipt["duration_ms"] == told["receipt"]["duration_ms"]
    assert node.read(other, "file") == "kept"


@pytest.mark.parametrize("change", CHANGES)
def test_revoke__over_another_disk_and_nothing_was_noted__cuts_its_mount_off(node, plane, beside, change):
    """Its process cannot be found, so it is ended without being asked."""
    volume, other = beside
    pid = node.status(volume)["volume"]["pid"]
    change_under_process(node, plane, change, volume, other)
    os.unlink(os.path.join(node.dir, "volumes", volume, "deed.json"))
    plane.want(volume, revoked=True)
    node.start()
    proc.wait_gone(pid)
    assert not is_readable(node, volume)
    assert node.read(other, "file") == "kept"


def test_volume__absent_over_a_directory_that_is_gone__its_process_ends(node, plane, beside):
    volume, other = beside
    pid = node.status(volume)["volume"]["pid"]
    change_under_process(node, plane, take_directory_away, volume, other)
    node.start()
    report, = plane.wait_access("FAILED", volume)
    assert "backing directory is gone" in report["message"] and node.read(volume, "file") == "kept"
    plane.want(volume, state="ABSENT")
    proc.wait_gone(pid)
    plane.wait_reached(volume)


def test_revoke__over_another_volumes_keyring__does_not_touch_that_ones_process(node, plane, beside):
    """Its own has ended; what lies there now names a process that serves another place."""
    volume, other = beside
    pid = node.status(volume)["volume"]["pid"]
    change_under_process(node, plane, put_foreign, volume, other)
    os.kill(pid, signal.SIGKILL)
    plane.want(volume, revoked=True)
    node.start()
    plane.wait_access("LOCKED", volume)
    assert node.read(other, "file") == "kept" and state(node, other) == "OPEN"


@pytest.fixture
def service(cli, work):
    made = KeyService(cli, work)
    yield made
    made.close()


def service_key(service, name):
    return {"id": "00000000-0000-4000-8000-000000000001", "type": "AWS_KMS", "uri": service.arn(name),
            "auth_principal": f"arn:aws:iam::{CUSTOMER}:role/{ROLE}"}


def test_key_service__says_no__locks_tells_what_mends_it_and_comes_back(service, plane, idle):
    service.create("orders")
    service.let_in("orders")
    plane.organisation = ORGANISATION
    idle.join()
    idle.start()
    volume = plane.want(keys=[service_key(service, "orders")], platform=False)
    plane.wait_reached(volume)
    idle.write(volume, "file", "kept")
    service.key("disable", "orders")
    report, = plane.wait_access("LOCKED", volume)
    assert report["cause"] == "DENIED" and "to mend it" in report["message"], report
    assert not is_readable(idle, volume)
    receipt, = plane.wait(lambda: plane.receipts_of(volume), "there is a receipt")
    assert receipt["reason"] == "DENIED"
    service.key("enable", "orders")
    plane.wait_access("OPEN", volume)
    assert idle.read(volume, "file") == "kept"


def test_key_service__silent__grace_then_locked_also_after_a_restart_then_open(service, plane, idle):
    service.create("orders")
    service.let_in("orders")
    plane.organisation = ORGANISATION
    idle.join()
    idle.start()
    volume = plane.want(keys=[service_key(service, "orders")], platform=False,
                        lease={"lease_ms": 1000, "probe_ms": 200, "grace_ms": 3000})
    plane.wait_reached(volume)
    idle.write(volume, "file", "kept")
    service.stop()
    plane.wait(lambda: any(v["access"] == "GRACE" for r in plane.reports for v in r["volumes"]), "its grace is told")
    report, = plane.wait_access("LOCKED", volume)
    assert report["cause"] == "UNREACHABLE"
    idle.restart()
    os.kill(idle.status(volume)["volume"]["pid"], 9)
    plane.reported.clear()
    report, = plane.wait_access("LOCKED", volume)
    assert report["cause"] == "UNREACHABLE" and report["message"]
    service.start()
    plane.wait_access("OPEN", volume)
    assert idle.read(volume, "file") == "kept"


def test_revoke__while_a_step_waits_for_a_key_service__is_on_the_disk_before_it_is_told(service, plane, idle, monkeypatch):
    plane.organisation = ORGANISATION
    idle.join()
    with socket.socket() as silent:  # takes connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        silent.settimeout(60)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        idle.start()
        volume = plane.want()
        plane.wait_reached(volume)
        service.create("orders")
        plane.want(volume, keys=[service_key(service, "orders")])
        connection, _ = silent.accept()
        with connection:
            plane.want(volume, revoked=True)
            plane.wait(lambda: plane.receipts_of(volume), "there is a receipt")
            idle.kill()
    with open(os.path.join(idle.dir, "volumes", volume, "wish.json")) as f:
        assert json.load(f)["revoked"] is True


# --- many, and anywhere ---


def test_revoke__of_many_at_once(node, plane, capsys):
    volumes = [plane.want() for _ in range(MANY)]
    plane.wait_reached(*volumes, timeout=180)
    began = time.monotonic()
    for volume in volumes:
        plane.want(volume, revoked=True)
    plane.wait_access("LOCKED", *volumes)
    plane.wait(lambda: len({json.loads(r["text"])["volume"] for r in plane.receipts}) == MANY, "all receipts came")
    with capsys.disabled():
        print(f"\n{MANY} volumes locked, with receipts, {1000 * (time.monotonic() - began):.0f} ms after the first wish")
    assert not any(is_readable(node, v, ".") for v in volumes)


def churn(plane, volume, keys, chance):
    """Another wish for a volume."""
    wish = plane.wishes[volume]
    what = chance.randrange(5)
    if what == 0 and not wish["revoked"]:
        plane.want(volume, revoked=True)
    elif what == 1 and wish["revoked"]:
        plane.restore(volume)
    elif what == 2:
        plane.want(volume, keys=chance.sample(keys, 1), platform=chance.random() < 0.5)
    else:
        level = chance.choice(("rewrap", "store", "data", "reencrypt"))
        plane.want(volume, serials={level: wish["serials"][level] + 1})


def test_kill_at_any_time__every_volume_gets_where_it_is_wanted(node, plane, store):
    seed = int(os.environ.get("KEYSTEAD_CHURN_SEED", random.randrange(1 << 30)))
    print(f"KEYSTEAD_CHURN_SEED={seed}")
    chance = random.Random(seed)
    keys = [file_key(store, name) for name in ("one", "two")]
    volumes = [plane.want() for _ in range(3)]
    written = set()
    for _ in range(int(os.environ.get("KEYSTEAD_CHURN_ROUNDS", "12"))):
        for volume in volumes:
            churn(plane, volume, keys, chance)
        time.sleep(chance.random())  # the moment is what is tested
        node.restart()
        for volume in volumes:
            if volume not in written and is_readable(node, volume, ".") and node.status(volume)["state"] == "OPEN":
                node.write(volume, "file", volume)
                written.add(volume)
    for volume in volumes:
        if plane.wishes[volume]["revoked"]:
            plane.restore(volume)
    plane.wait_reached(*volumes, timeout=120)
    plane.wait_access("OPEN", *volumes)
    plane.wait(lambda: all(plane.reported[v]["serials"] == plane.wishes[v]["serials"] for v in volumes), "all rotations are done", 120)
    for volume in volumes:
        if volume in written:
            assert node.read(volume, "file") == volume
        wish, report = plane.wishes[volume], plane.reported[volume]
        assert [k["state"] for k in report["keys"]] == ["ACTIVE"] * len(wish["keys"])


def is_back_and_locked(node, volume):
    try:
        return node.status(volume)["state"] == "LOCKED"
    except Failed:
        return False  # a process that is just starting has the volume and does not answer yet


def test_revoked__killed_at_any_time__never_open(node, plane):
    chance = random.Random(1)
    volume = plane.want()
    plane.wait_reached(volume)
    node.write(volume, "file", "secret")
    for _ in range(6):
        plane.want(volume, revoked=True)
        plane.wait_access("LOCKED", volume)
        for _ in range(2):
            os.kill(node.status(volume)["volume"]["pid"], 9)
            node.kill()
            node.start()
            until = time.monotonic() + chance.random()
            while time.monotonic() < until:
                assert not is_readable(node, volume)
            proc.wait_until(lambda: is_back_and_locked(node, volume), "its process is back, and locked")
        plane.restore(volume)
        plane.wait_access("OPEN", volume)
        assert node.read(volume, "file") == "secret"


# --- engines ---


def redis(port, password, *words):
    """The answer of a Redis to one command, by its own protocol."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        reader = s.makefile("rb")
        for command in (("AUTH", password), words):
            s.sendall(b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in command))
            line = reader.readline().decode().strip()
            if line.startswith("$") and line != "$-1":
                line = reader.readline().decode().strip()
        return line


@pytest.mark.skipif(not shutil.which("redis-server"), reason="no redis-server on this host")
def test_engine__runs_while_its_volume_is_open__and_outlives_the_agent(idle, plane):
    idle.join()
    port = proc.free_port()
    everywhere = ("--engines", os.path.join(ROOT, "engines"), "--ports", f"{port}-{port}", "--engine-address", "0.0.0.0")
    idle.start(*everywhere)
    volume = plane.want(engine="redis")

    def engine():
        return plane.reported.get(volume, {}).get("engine", {})

    def is_running():
        return engine().get("state") == "RUNNING" and engine().get("password")

    password = plane.wait(is_running, "the engine runs")
    assert (engine()["port"], engine()["host"]) == (port, "127.0.0.1")
    assert engine()["connection"] == f"redis://127.0.0.1:{port}/0", "by the name of the host, not by what it listens on"
    assert redis(port, password, "SET", "name", "value") == "+OK"
    assert any("engines" in r for r in plane.reports)

    idle.restart(*everywhere)
    plane.reported.clear()
    plane.wait(is_running, "the next agent has it")
    assert redis(port, password, "GET", "name") == "value"

    plane.want(volume, revoked=True)
    plane.wait_access("LOCKED", volume)
    plane.wait(lambda: engine()["state"] == "STOPPED" and plane.receipts_of(volume), "it is stopped, and there is a receipt")
    assert plane.receipts_of(volume)[0]["engine_stopped_ms"] < 10000  # it gets 2 s; its template 30
    with pytest.raises(OSError):
        redis(port, password, "GET", "name")
    plane.restore(volume)
    plane.wait_access("OPEN", volume)
    plane.wait(is_running, "it runs again")
    assert redis(port, password, "GET", "name") == "value"
    idle.stop()
    with pytest.raises(OSError):
        redis(port, password, "GET", "name")


def as_number(uid, *argv):
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", *argv]


def owner_of(node, volume):
    """The user of the processes of its engine."""
    with open(os.path.join(node.dir, "volumes", volume, "engine", "running.json")) as f:
        return os.stat(f"/proc/{json.load(f)['pid']}").st_uid


def run_engines(node, plane, engine, organisations):
    """A volume of each organisation, with an engine that runs."""
    volumes = [plane.want(engine=engine, organisation=o) for o in organisations]

    def are_running():
        told = [plane.reported.get(v, {}).get("engine", {}) for v in volumes]
        return all(e.get("state") == "RUNNING" and e.get("password") for e in told)
    plane.wait(are_running, "the engines run")
    return volumes


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed here")
def test_engines__of_several_organisations__run_as_users_that_share_nothing(idle, plane):
    idle.join()
    args = ("--engines", os.path.join(ROOT, "engines"), "--ports", "18000-18099")
    idle.start(*args)
    acme, other = str(uuid.uuid4()), str(uuid.uuid4())
    first, second, third = volumes = run_engines(idle, plane, "redis", (acme, other, acme))
    owners = [owner_of(idle, v) for v in volumes]
    assert owners[0] == owners[2] != owners[1]
    assert all(2100000000 <= o <= 2100065535 for o in owners)
    for volume, owner in zip(volumes, owners):
        place = os.stat(idle.mountpoint(volume))
        assert (place.st_uid, place.st_gid, stat.S_IMODE(place.st_mode) & 0o7) == (0, owner, 0)
    for owner, volume, may in ((owners[0], first, True), (owners[0], third, True), (owners[0], second, False), (owners[1], first, False),
                               (65534, first, False)):
        for path in ("engine/home-1", "engine/conf/redis.conf"):
            done = proc.run(as_number(owner, "cat" if path.endswith("conf") else "ls", os.path.join(idle.mountpoint(volume), path)), check=False)
            assert (done.returncode == 0) is may, (owner, path, done.stderr)
    idle.stop()
    plane.reported.clear()
    idle.start(*args)
    again = [plane.reported.get(v, {}).get("engine", {}) for v in volumes]
    plane.wait(lambda: all(plane.reported.get(v, {}).get("engine", {}).get("state") == "RUNNING" for v in volumes), f"they run again {again}")
    assert [owner_of(idle, v) for v in volumes] == owners


@pytest.mark.skipif(not glob.glob("/usr/lib/postgresql/*/bin/postgres"), reason="postgresql is not installed here")
def test_engines__superuser_of_one_organisation__cannot_read_anothers_open_volume(idle, plane):
    idle.join()
    idle.start("--engines", os.path.join(ROOT, "engines"), "--ports", "18100-18199")
    mine, theirs = run_engines(idle, plane, "postgresql", (str(uuid.uuid4()), str(uuid.uuid4())))
    engine = plane.reported[mine]["engine"]

    def ask(command):
        done = proc.run(["psql", "-h", engine["host"], "-p", str(engine["port"]), "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-qtA", "-c",
                         f"create temp table t (line text); copy t from program '{command} 2>&1 || true'; select * from t"],
                        check=False, env={**os.environ, "PGPASSWORD": engine["password"]})
        assert done.returncode == 0, done.stderr
        return done.stdout
    assert str(owner_of(idle, mine)) in ask("id -u")
    assert ask(f"cat {idle.mountpoint(mine)}/engine/home-1/data/PG_VERSION").strip().isdigit()
    for command in (f"ls {idle.mountpoint(theirs)}", f"cat {idle.mountpoint(theirs)}/engine/home-1/data/PG_VERSION",
                    f"cat {idle.mountpoint(theirs)}/engine/conf/administrator"):
        assert "Permission denied" in ask(command)
    with open(os.path.join(idle.dir, "volumes", theirs, "engine", "running.json")) as f:
        pid = json.load(f)["pid"]
    assert "not permitted" in ask(f"kill -STOP {pid}") and "Permission denied" in ask(f"ls /proc/{pid}/fd")


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed here")
def test_engine__left_running_and_owners_cannot_be_read__is_taken_over_and_stopped_by_a_revoke(idle, plane):
    idle.join()
    args = ("--engines", os.path.join(ROOT, "engines"), "--ports", "18300-18399", "--leave-running")
    idle.start(*args)
    volume, = run_engines(idle, plane, "redis", (str(uuid.uuid4()),))
    with open(os.path.join(idle.dir, "volumes", volume, "engine", "running.json")) as f:
        pid = json.load(f)["pid"]
    idle.stop()
    with open(os.path.join(idle.dir, "owners.json"), "w") as f:
        f.write("{")
    plane.reported.clear()
    idle.start(*args)
    plane.wait(lambda: plane.reported.get(volume, {}).get("engine", {}).get("state") == "RUNNING", "it is taken over")
    assert proc.is_alive(pid)
    plane.want(volume, revoked=True)
    plane.wait_access("LOCKED", volume)
    assert not proc.is_alive(pid)
    receipt, = plane.wait(lambda: plane.receipts_of(volume), "there is a receipt")
    assert 0 <= receipt["engine_stopped_ms"] < 3000


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed here")
def test_engine__owners_cannot_be_read__volumes_go_on_and_it_is_told(idle, plane):
    idle.join()
    with open(os.path.join(idle.dir, "owners.json"), "w") as f:
        f.write("{")
    idle.start("--engines", os.path.join(ROOT, "engines"), "--ports", "18200-18299")
    volume = plane.want(engine="redis")
    plane.wait_reached(volume)
    plane.wait(lambda: "owners.json is damaged" in plane.reported[volume]["engine"]["message"], "it is told")
    idle.write(volume, "file", "kept")


@pytest.mark.skipif(not shutil.which("redis-server"), reason="no redis-server on this host")
def test_engine__left_running_by_an_agent__ends_before_its_volume_is_removed(idle, plane):
    idle.join()
    port = proc.free_port()
    args = ("--engines", os.path.join(ROOT, "engines"), "--ports", f"{port}-{port}")
    idle.start(*args)
    volume = plane.want(engine="redis")
    plane.wait(lambda: plane.reported.get(volume, {}).get("engine", {}).get("state") == "RUNNING", "the engine runs")
    idle.kill()
    wish = os.path.join(idle.dir, "volumes", volume, "wish.json")
    with open(wish) as f:
        text = json.load(f)
    with open(wish, "w") as f:  # as an agent leaves it that is killed when it has heard
        json.dump({**text, "state": "ABSENT"}, f)
    plane.want(volume, state="ABSENT")
    idle.start(*args)
    plane.wait_reached(volume)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    proc.wait_until(lambda: not os.listdir(os.path.join(idle.dir, "volumes")), "nothing is left of it")


def test_engine__of_no_template__is_told(node, plane):
    volume = plane.want(engine="oracle")
    plane.wait_access("OPEN", volume)
    plane.wait(lambda: "oracle" in plane.reported[volume]["engine"]["message"], "it is told")
    assert plane.reported[volume]["engine"]["state"] == "FAILED"
