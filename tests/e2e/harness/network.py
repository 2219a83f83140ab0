# SPDX-License-Identifier: Apache-2.0
"""A network of the kernel's own: hosts are network namespaces with a cable each to a router, which is one too.

What is cut is silent, as in real networks: packets are dropped on the way and nobody is told; connections stay. Names of namespaces say
whose they are, so that tools/leftovers.sh finds those that a test forgot.
"""
import contextlib
import ctypes
import functools
import hashlib
import os
import subprocess

from . import proc
from .keystead import ROOT

CLONE_NEWNET = 0x40000000
ROUTER = "router"
RUN = "/run/netns"


def prefix():
    """Of the namespaces of this checkout; tools/leftovers.sh makes the same."""
    return f"keystead-{hashlib.md5(os.path.realpath(ROOT).encode()).hexdigest()[:8]}-"


def ip(*args):
    return proc.run(["ip", *map(str, args)])


@functools.cache
def missing():
    """Why there can be no such network here; None when there can."""
    try:
        with Network(("probe", "other")) as net:
            net.cut("probe", "other")
    except (AssertionError, OSError) as e:
        return f"network namespaces cannot be had here: {e}"
    return None


class Network:
    """Hosts by name. Each has one address; `with` takes everything away at the end."""

    def __init__(self, hosts):
        self._prefix = f"{prefix()}{os.getpid()}-"
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._made = []
        self.address = {}
        try:
            self._make(ROUTER)
            with self.inside(ROUTER), open("/proc/sys/net/ipv4/ip_forward", "w") as f:
                f.write("1")
            for number, host in enumerate(hosts, 1):
                self._connect(host, number)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        while self._made:
            ip("netns", "del", self._made.pop())

    def _make(self, host):
        name = self._prefix + host
        ip("netns", "add", name)
        self._made.append(name)
        self._in(host, "link", "set", "lo", "up")

    def _in(self, host, *args):
        return ip("-n", self._prefix + host, *args)

    def _connect(self, host, number):
        """198.18.0.0/15 is for tests of networks."""
        gateway, self.address[host] = f"198.18.{number}.1", f"198.18.{number}.2"
        self._make(host)
        self._in(ROUTER, "link", "add", self._cable(host), "type", "veth", "peer", "name", "eth0", "netns", self._prefix + host)
        self._in(ROUTER, "address", "add", f"{gateway}/24", "dev", self._cable(host))
        self._in(ROUTER, "link", "set", self._cable(host), "up")
        self._in(host, "address", "add", f"{self.address[host]}/24", "dev", "eth0")
        self._in(host, "link", "set", "eth0", "up")
        self._in(host, "route", "add", "default", "via", gateway)

    @staticmethod
    def _cable(host):
        return f"to-{host}"

    @contextlib.contextmanager
    def inside(self, host):
        """This thread, and what it starts, is on that host meanwhile."""
        with open("/proc/thread-self/ns/net") as back, open(os.path.join(RUN, self._prefix + host)) as there:
            self._go(there)
            try:
                yield
            finally:
                self._go(back)

    def _go(self, namespace):
        if self._libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    # -- trouble

    def _both_ways(self, action, one, other):
        for source, to in ((one, other), (other, one)):
            self._in(ROUTER, "rule", action, "from", self.address[source], "to", self.address[to], "blackhole")

    def cut(self, one, other):
        """Nothing between the two gets through any more."""
        self._both_ways("add", one, other)

    def mend(self, one, other):
        self._both_ways("del", one, other)

    def unplug(self, host):
        self._in(ROUTER, "link", "set", self._cable(host), "down")

    def plug(self, host):
        self._in(ROUTER, "link", "set", self._cable(host), "up")

    def forget_connections(self, host, port):
        """What a router does that was started again: connections of the host to that port, as they are now, carry nothing any more and
        are not told; new ones do. Their number."""
        with self.inside(host):
            lines = subprocess.run(["ss", "-Htn", "state", "established", f"dport = :{port}"], check=True, capture_output=True,
                                   text=True).stdout.splitlines()
        ports = [line.split()[2].rpartition(":")[2] for line in lines]
        for own in ports:
            self._in(ROUTER, "rule", "add", "from", self.address[host], "ipproto", "tcp", "sport", own, "blackhole")
            self._in(ROUTER, "rule", "add", "to", self.address[host], "ipproto", "tcp", "dport", own, "blackhole")
        return len(ports)
