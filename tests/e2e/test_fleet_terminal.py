# SPDX-License-Identifier: Apache-2.0
"""Goal: at a terminal nothing is revoked unless the name of the cluster is typed after what will happen was shown; waiting shows how far it is and can be
left; on a narrow terminal everything is still to be read; and none of what is for terminals gets into files and pipes."""
import json
import os
import signal

import pytest

from harness import proc
from harness.fleet import Fleet
from harness.terminal import END_OF_FILE, INTERRUPT, Terminal

EAST, WEST = "ap-northeast-1", "northamerica-northeast1"  # names longer than a column of the dashboard
USAGE, BUSY, INTERRUPTED = 2, 5, 130
NARROW = 60


@pytest.fixture
def fleet(cli, work):
    made = Fleet(cli, work, (EAST, WEST))
    made.cluster = made.call("POST", "/v1/clusters", {"name": "orders", "engine": "none", "regions": [
        {"name": EAST, "node_count": 1}, {"name": WEST, "node_count": 1}]})["id"]
    made.wait_cluster(made.cluster)
    made.hurry(made.cluster)
    for name in ("east", "west"):
        made.kms.make(name)
        made.kms.grant(name, made.organisation)
    made.enable(made.cluster, {EAST: "east", WEST: "west"})
    yield made
    made.close()


@pytest.fixture
def at_terminal(fleet):
    """at_terminal(command, ...): a person's command about the fleet, on a terminal."""
    where = ["--server", fleet.url, "--key-file", os.path.join(fleet.dir, "admin.key")]
    begun = []

    def begin(*command, **how):
        terminal = Terminal([fleet.cli.binary, *command, *where], env={**os.environ, "HOME": fleet.work}, **how)
        begun.append(terminal)
        return terminal
    yield begin
    for terminal in begun:
        if terminal.process.poll() is None:
            terminal.process.kill()


def revokes(fleet):
    return [o for o in fleet.call("GET", f"/v1/operations?cluster={fleet.cluster}")["items"] if o["kind"] == "CMEK_REVOKE"]


def test_revoke__says_what_will_happen__and_does_it_only_for_the_name(fleet, at_terminal):
    nodes = {v["region"]: v["node"] for v in fleet.volumes(fleet.cluster)}
    for answer, code in (("order\n", USAGE), ("ORDERS\n", USAGE), ("yes\n", USAGE), ("\n", USAGE), (f"{EAST}\n", USAGE), (END_OF_FILE, USAGE),
                         (INTERRUPT, -signal.SIGINT)):
        asked = at_terminal("cmek", "revoke", "orders", "--wait", columns=120).wait_for("Type orders to go on: ")
        for region in (EAST, WEST):
            assert f"  {region}: files without an engine, node {nodes[region]}, data is OPEN" in asked.rows()
        assert "2 of the volumes of cluster orders lock: their databases stop" in asked.seen
        assert "keystead cmek restore" in asked.seen
        assert asked.type(answer).end() == code, answer
        assert answer == INTERRUPT or "not confirmed; nothing changed" in asked.seen
    assert fleet.regions(fleet.cluster) == {EAST: "ENABLED", WEST: "ENABLED"}
    assert revokes(fleet) == []

    asked = at_terminal("cmek", "revoke", "orders", "--region", EAST, "--wait").wait_for("Type orders to go on: ")
    assert EAST in asked.seen and WEST not in asked.seen and "1 of the volumes" in asked.seen
    assert asked.type("orders\n").end() == 0
    assert "cmek revoke orders: done" in asked.seen
    assert fleet.regions(fleet.cluster) == {EAST: "REVOKED", WEST: "ENABLED"}


def test_wait__drawn_on_one_line__left_with_ctrl_c__and_not_in_a_pipe(fleet, at_terminal, work):
    node = next(n for n in fleet.nodes.values() if n.region == WEST)
    os.kill(node.pid, signal.SIGSTOP)
    try:
        at_terminal("cmek", "revoke", "orders", "--yes", "orders").end()
        operation = revokes(fleet)[0]["id"]
        proc.wait_until(lambda: fleet.call("GET", f"/v1/operations/{operation}")["volumes_done"] == 1, "one is locked")
        waiting = at_terminal("operation", "wait", operation, columns=20)
        proc.wait_until(lambda: waiting.wait_for("CMEK_REVOKE").seen.count("\r") > 2, "it was drawn again")
        assert waiting.rows() == ["CMEK_REVOKE: 1 of 2"], "cut where the terminal ends, drawn over"
        assert waiting.type(INTERRUPT).end() == INTERRUPTED
        said = waiting.seen.replace("\r\n", "\n")
        assert "the operation goes on" in said and f"keystead operation wait {operation}\n" in said
        assert revokes(fleet)[0]["state"] == "RUNNING"

        late = at_terminal("operation", "wait", operation, "--timeout", "100ms", columns=200)
        assert late.end() == BUSY
        assert "CMEK_REVOKE" in late.seen and "CMEK_REVOKE" not in "".join(late.rows())

        where = ["--server", fleet.url, "--key-file", os.path.join(fleet.dir, "admin.key")]
        piped = fleet.cli.run("operation", "wait", operation, "--timeout", "100ms", *where, check=False)
        assert piped.returncode == BUSY and piped.stdout == ""
        assert "\x1b" not in piped.stderr and "CMEK_REVOKE" not in piped.stderr, piped.stderr

        with open(os.path.join(work, "out"), "w+b") as out:
            again = at_terminal("operation", "wait", operation, "-o", "json", output=out)
            again.wait_for("CMEK_REVOKE: 1 of 2 volumes")
            os.kill(node.pid, signal.SIGCONT)
            assert again.end() == 0
            assert [row for row in again.rows() if row] == [], "nothing is left of it on the terminal"
            out.seek(0)
            assert json.load(out)["state"] == "SUCCEEDED"
    finally:
        os.kill(node.pid, signal.SIGCONT)


def test_dashboard_and_tables__narrow_terminal__words_stay_whole(fleet, at_terminal):
    fleet.kms.act("disable", "west")
    proc.wait_until(lambda: fleet.regions(fleet.cluster)[WEST] == "REVOKED", "the region is REVOKED")

    def show(columns, *command):
        shown = at_terminal(*command, columns=columns)
        assert shown.end() == 0, shown.seen
        return shown

    for columns in (NARROW, 80, 200):
        shown = show(columns, "cmek", "status", "orders")
        lines = shown.seen.replace("\r\n", "\n").splitlines()
        assert f"  {EAST}  ENABLED, data OPEN" in lines
        assert fleet.kms.arn("east") in shown.seen, "keys are whole, to be copied"
        for line in lines:
            assert len(line) <= columns or " " not in line.strip(), f"{columns}: {line!r} could have been broken"
    with_room, narrow = show(300, "operation", "list", "orders"), show(NARROW, "operation", "list", "orders")
    assert with_room.rows()[0].split()[:3] == ["KIND", "STATE", "CLUSTER"]
    assert [row.split()[0] for row in narrow.rows()[:7]] == ["KIND", "STATE", "CLUSTER", "BEGAN", "ENDED", "ID", "MESSAGE"], narrow.rows()
    assert narrow.rows()[1].split()[1] == "SUCCEEDED"
