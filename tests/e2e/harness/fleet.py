# SPDX-License-Identifier: Apache-2.0
"""A fleet on this host: a key service with customers' accounts, a control plane, nodes with regions, clusters on them.

Everything listens on the loopback, or on hosts of a Network, lives below one directory and is a descendant of this process: what a failed
test leaves is ended and unmounted with the test (conftest.clean). Waiting is for events: operations are waited for where they are known.
"""
import contextlib
import functools
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

from . import proc
from .key_service import CUSTOMER, PROVIDER, KeyService
from .keystead import ROOT

OTHER_CUSTOMER = "222233334444"
PORT_FIRST, PORTS = 16000, 200  # of engines
# A denial is seen at once; a key service that is slow because everything is locks nothing.
FAST = {"lease_ms": 10000, "probe_ms": 200, "grace_ms": 3600000}
SHORT_GRACE = {"lease_ms": 2000, "probe_ms": 200, "grace_ms": 5000}


class Kms(KeyService):
    """The key service: the provider's account, whose user the nodes are, and two customers' accounts."""

    def __init__(self, cli, work, **how):
        super().__init__(cli, work, **how)
        self.run("account", "create", OTHER_CUSTOMER)
        self.account_of = {}

    def make(self, name, account=CUSTOMER):
        self.account_of[name] = account
        self.run("key", "create", name, "--account", account)

    def act(self, action, name, *args):
        return self.run("key", action, name, "--account", self.account_of[name], *args)

    def arn(self, name):
        return json.loads(self.act("show", name, "-o", "json").stdout)["arn"]

    def grant(self, name, organisation, trusted=PROVIDER):
        """The role that the provider's account may assume for this organisation, and that may use this key."""
        self.run("role", "create", f"role-{name}", "--of-key", name, "--trust", trusted, "--external-id", organisation,
                 "--account", self.account_of[name])

    def take_back(self, name):
        self.run("role", "delete", f"role-{name}", "--account", self.account_of[name])

    def key_spec(self, name):
        """As it stands in bodies of the API."""
        return {"type": "AWS_KMS", "uri": self.arn(name),
                "auth_principal": f"arn:aws:iam::{self.account_of[name]}:role/role-{name}"}

    def region_spec(self, region, name):
        return {"region": region, "key_spec": self.key_spec(name)}


class Refused(AssertionError):
    """An answer of 300 and above."""

    def __init__(self, method, path, status, body):
        super().__init__(f"{method} {path}: {status} {body}")
        self.status, self.body = status, body


def first_line(path):
    with open(path) as f:
        return f.readline().strip()


class Process:
    """A process of the fleet that can be killed and started again; its output goes to a log that a failed test shows."""

    def __init__(self, argv, log, ready, place=contextlib.nullcontext):
        self.argv, self.log, self.ready, self.place = [str(a) for a in argv], log, ready, place
        self.process = None

    def start(self):
        with open(self.log, "ab") as out, self.place():
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        proc.wait_until(lambda: self.ready() or self.process.poll() is not None, f"{self.argv[1]} is ready", 60)
        assert self.process.poll() is None, proc.tail(self.log)
        return self

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9 of this process alone; what it started goes on or not, as it would."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=60):
        if self.is_running():
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(timeout) == 0, proc.tail(self.log)


class Fleet:
    """serve, and nodes. `nodes`: regions, one for each node, which are named n0, n1, ... `net`: a Network with these hosts, "serve" and
    "kms"; without one all of it is on this host."""

    def __init__(self, cli, work, nodes, engine="none", net=None):
        self.cli, self.work, self.dir, self.net = cli, work, os.path.join(work, "serve"), net
        os.environ.setdefault("KEYSTEAD_RUN_DIR", os.path.join(work, "run"))
        self.kms = Kms(cli, work, address=self.address("kms"), place=self.place("kms"))
        self.nodes = {}
        try:
            self._start(nodes, engine)
        except BaseException:
            self.wreck()
            raise

    def address(self, host):
        return self.net.address[host] if self.net else "127.0.0.1"

    def place(self, host):
        """What has to be entered to be on that host."""
        return functools.partial(self.net.inside, host) if self.net else contextlib.nullcontext

    def _start(self, nodes, engine):
        cli, work = self.cli, self.work
        cli.run("serve", "setup", "--dir", self.dir, "--organisation", "acme", "--aws-account", PROVIDER, "--aws-principal",
                f"arn:aws:iam::{PROVIDER}:user/keystead")
        self.platform_key, self.key = (first_line(os.path.join(self.dir, name)) for name in ("platform.key", "admin.key"))
        self.port, self.node_port = proc.free_port(), proc.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.serve = Process(
            [cli.binary, "serve", "--dir", self.dir, "--plain", "--listen", f"127.0.0.1:{self.port}", "--listen-nodes",
             f"{self.address('serve')}:{self.node_port}", "--names", self.address("serve"), "--engine", engine, "--requests-per-second", "0"],
            os.path.join(work, "serve.log"), self._answers, self.place("serve")).start()
        self.organisation = self.call("GET", "/v1/caller")["organisation"]
        for i, region in enumerate(nodes):
            self.add_node(region, f"n{i}")

    def new_organisation(self, name):
        """(id, an administrator's key) of a new organisation."""
        made = self.call("POST", "/v1/organisations", {"name": name}, self.platform_key)
        key = self.call("POST", "/v1/api-keys", {"name": "admin", "role": "ADMIN", "organisation": made["id"]}, self.platform_key)
        return made["id"], key["secret"]

    # -- the API

    def call(self, method, path, body=None, key=None, timeout=70):
        request = urllib.request.Request(
            f"{self.url}{path}", None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}, method=method)
        try:
            with self.place("serve")(), urllib.request.urlopen(request, timeout=timeout) as reply:
                text = reply.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise Refused(method, path, error.code, json.loads(error.read() or b"null")) from None

    def _answers(self):
        try:
            with self.place("serve")():
                urllib.request.urlopen(f"{self.url}/v1/health", timeout=5).close()
            return True
        except OSError:
            return False

    def cmek(self, cluster):
        return self.call("GET", f"/api/v1/clusters/{cluster}/cmek")

    def regions(self, cluster):
        """Status of each region."""
        return {r["region"]: r["status"] for r in self.cmek(cluster)["region_infos"]}

    def wait_cmek(self, cluster, status, timeout=120):
        def reached():
            try:
                info = self.cmek(cluster)
            except OSError:
                return None  # serve is being started again
            assert status.endswith("_FAILED") or not info["status"].endswith("_FAILED"), info
            return info if info["status"] == status else None
        return proc.wait_until(reached, f"CMEK of the cluster is {status}", timeout, 0.05)

    def wait_cluster(self, cluster, timeout=120):
        def created():
            made = self.call("GET", f"/api/v1/clusters/{cluster}")
            assert made["state"] != "CREATION_FAILED", made
            return made if made["state"] == "CREATED" else None
        return proc.wait_until(created, "the cluster is CREATED", timeout, 0.05)

    def create(self, name, nodes, engine="none", lease=FAST):
        """A cluster with quick probes from its beginning; nodes: number for each region. Its id."""
        made = self.call("POST", "/v1/clusters", {
            "name": name, "provider": "AWS", "engine": engine, "lease": lease,
            "regions": [{"name": region, "node_count": count} for region, count in nodes.items()]})
        self.wait_cluster(made["id"])
        return made["id"]

    def hurry(self, cluster):
        """Quick probes, for a cluster that was made otherwise; its nodes take them over at once, with a probe."""
        self.call("PATCH", f"/v1/clusters/{cluster}", {"lease": FAST})

    def enable(self, cluster, keys):
        """keys: name of the key of each region; they are made and granted where they are not there yet."""
        for name in set(keys.values()):
            if name not in self.kms.account_of:
                self.kms.make(name)
                self.kms.grant(name, self.organisation)
        self.call("POST", f"/api/v1/clusters/{cluster}/cmek",
                  {"region_specs": [self.kms.region_spec(region, name) for region, name in keys.items()]})
        return self.wait_cmek(cluster, "ENABLED")

    def act(self, cluster, action, **more):
        return self.call("PATCH", f"/api/v1/clusters/{cluster}/cmek", {"action": action, **more})

    # -- data

    def volumes(self, cluster):
        return [v for v in self.call("GET", f"/v1/clusters/{cluster}/volumes")["items"] if v["is_wanted"]]

    def mounts(self, cluster):
        """Where the volumes of a cluster are mounted, by region; a volume that is shut has its place all the same."""
        found = {}
        for volume in self.volumes(cluster):
            for node in self.nodes.values():
                if volume["id"] in os.listdir(os.path.join(node.dir, "mounts")):
                    found.setdefault(volume["region"], []).append(os.path.join(node.dir, "mounts", volume["id"]))
        return found

    def logs(self, volume):
        """The end of what the process of a volume wrote."""
        paths = [os.path.join(n.dir, "volumes", volume, "volume.log") for n in self.nodes.values()]
        return "".join(proc.tail(path) for path in paths if os.path.exists(path))

    # -- nodes

    def add_node(self, region, name):
        token = os.path.join(self.work, f"{name}.token")
        made = self.call("POST", "/v1/join-tokens", {"region": region}, self.platform_key)
        with open(token, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
            f.write(made["token"] + "\n")
        node = Node(self, name, region)
        node.join(token)
        self.nodes[name] = node.start()
        return node

    def close(self):
        for node in self.nodes.values():
            node.stop()
        self.serve.stop()
        self.kms.close()

    def wreck(self):
        """Ends and unmounts whatever is left of the fleet, and nothing else."""
        for pid in proc.descendants():
            if self.work in proc.command_line(pid):
                proc.kill_tree(pid)
        for mount in proc.mounts_below(self.work):
            proc.unmount(mount)


class Node(Process):
    """Its engines listen on ports of its own, because all nodes are on one host here."""

    def __init__(self, fleet, name, region):
        self.fleet, self.name, self.region = fleet, name, region
        self.dir = os.path.join(fleet.work, name)
        first = PORT_FIRST + PORTS * len(fleet.nodes)
        super().__init__([fleet.cli.binary, "node", "run", "--dir", self.dir, "--ports", f"{first}-{first + PORTS - 1}", "--engines",
                          os.path.join(ROOT, "engines")],
                         os.path.join(fleet.work, f"{name}.log"), self._is_seen, fleet.place(name))

    def join(self, token):
        """From the host of the control plane, whose API is on its loopback."""
        with self.fleet.place("serve")():
            self.fleet.cli.run("node", "join", "--dir", self.dir, "--server", self.fleet.url, "--token-file", token, "--name", self.name,
                               "--address", "127.0.0.1")

    def lose_power(self):
        """Ends everything of it at once: agent, volume processes, engines."""
        def is_of_it(pid):
            try:
                return self.dir in proc.command_line(pid) or os.readlink(f"/proc/{pid}/cwd").startswith(self.dir)
            except OSError:
                return False
        found = [pid for pid in proc.descendants() if is_of_it(pid)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for pid in found:
            proc.wait_gone(pid)

    def _is_seen(self):
        """It asked the control plane, or there is none to be asked."""
        if not self.fleet.serve.is_running():
            return True
        nodes = self.fleet.call("GET", "/v1/nodes", key=self.fleet.platform_key)["items"]
        return any(n["name"] == self.name and n["seen_at"] for n in nodes)
