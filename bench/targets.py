# SPDX-License-Identifier: Apache-2.0
"""The file systems that are compared: each is a directory to work in while it is up.

All keep their data below one directory of the same disk.
"""
import contextlib
import ctypes
import os
import pwd
import shutil
import struct
import subprocess

from harness import proc
from harness.keystead import KeyStore, Keystead, Volume

EXAMPLES = "/usr/share/doc/libfuse3-dev/examples"
RING_SWITCH = "/sys/module/fuse/parameters/enable_uring"
LATENCY_DEVICE = "/dev/cpu_dma_latency"
USER = "postgres"  # whom the databases run as; the passthrough must run as the same user


class Target:
    name = "?"
    is_peer = False  # somebody else's encrypting file system
    is_ours = False
    caveat = ""  # what its figures must not be read without

    def __init__(self, top, tools):
        self.top = os.path.join(top, self.name)
        self.tools = tools
        self.backing = os.path.join(self.top, "backing")
        self.mountpoint = os.path.join(self.top, "mnt")

    def missing(self):
        """Why it cannot be measured here; empty when it can."""
        return ""

    def version(self):
        return ""

    def up(self):
        for path in (self.top, self.backing, self.mountpoint):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o755)
        self.mount()
        os.chmod(self.path, 0o755)
        for name, mode in (("fio", 0o755), ("db", 0o755)):
            path = os.path.join(self.path, name)
            os.makedirs(path, exist_ok=True)
            os.chmod(path, mode)
            proc.chown_to(path, USER)

    def mount(self):
        pass

    def measured(self):
        """What holds while one of its figures is made."""
        return contextlib.nullcontext()

    def down(self):
        if os.path.ismount(self.mountpoint):
            subprocess.run(["umount", self.mountpoint], check=False)
        proc.unmount(self.mountpoint)

    @property
    def path(self):
        return self.mountpoint


class Plain(Target):
    name = "ext4"

    @property
    def path(self):
        return self.backing


class PlainAwake(Plain):
    """What processors that never sleep are worth without us: keystead keeps them awake while it is busy."""
    name = "ext4-awake"

    def missing(self):
        return "" if os.access(LATENCY_DEVICE, os.W_OK) else f"{LATENCY_DEVICE} cannot be written"

    @contextlib.contextmanager
    def measured(self):
        fd = os.open(LATENCY_DEVICE, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, struct.pack("i", 0))
            yield
        finally:
            os.close(fd)


def more_files():
    """The beginning of a command that may have a million files open, where that is allowed: the passthrough has every file
    open that the kernel remembers."""
    prefix = ["prlimit", "--nofile=1048576:1048576"]
    return prefix if proc.run([*prefix, "true"], check=False).returncode == 0 else []


class Passthrough(Target):
    """libfuse's own passthrough_ll with all its caches on: what FUSE alone costs."""
    name = "passthrough"

    def missing(self):
        source = os.path.join(EXAMPLES, "passthrough_ll.c")
        return "" if os.path.exists(source) else f"{source} is not there (libfuse3-dev)"

    def version(self):
        return "libfuse " + proc.run(["pkg-config", "--modversion", "fuse3"]).stdout.strip()

    def _build(self):
        binary = os.path.join(self.tools, "passthrough_ll")
        if not os.path.exists(binary):
            flags = proc.run(["pkg-config", "--cflags", "--libs", "fuse3"]).stdout.split()
            proc.run(["cc", "-O2", "-o", binary, f"{EXAMPLES}/passthrough_ll.c", *flags])
        return binary

    def mount(self):
        binary = self._build()
        proc.chown_to(self.backing, USER)
        # It creates files as whoever it runs as, so it must run as the databases' user, who may
        # not open /dev/fuse: mount here and hand the descriptor over.
        fd = os.open("/dev/fuse", os.O_RDWR)
        os.set_inheritable(fd, True)
        options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"passthrough", self.mountpoint.encode(), b"fuse.passthrough", 6,
                      options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount passthrough")
        source = f"source={self.backing},writeback,cache=always,timeout=3600,xattr"
        self._process = subprocess.Popen(
            [*more_files(), *proc.as_user(USER, [binary, "-f", "-o", source, f"/dev/fd/{fd}"])], pass_fds=[fd],
            stdin=subprocess.DEVNULL)
        os.close(fd)

    def down(self):
        super().down()
        if hasattr(self, "_process"):
            self._process.wait(30)


class Peer(Target):
    """An encrypting file system of Debian's, as its manual says, for all users."""
    is_peer = True

    def missing(self):
        return "" if shutil.which(self.name) else f"{self.name} is not there (make peers)"

    def version(self):
        return proc.run(["dpkg-query", "-W", "-f", "${Version}", self.name], check=False).stdout

    def mount(self):
        self.secret = os.path.join(self.top, "password")
        with open(self.secret, "w", encoding="ascii") as f:
            f.write("benchmark\n")
        if not os.listdir(self.backing):
            self.create()
        self.start()

    def create(self):
        """For those that do not do it when they mount."""

    def daemon(self, *argv):
        env = {**os.environ, "HOME": self.top, "CRYFS_FRONTEND": "noninteractive", "CRYFS_NO_UPDATE_CHECK": "true"}
        proc.run_daemon(["sh", "-c", 'exec "$@" <"$0"', self.secret, *argv], os.path.join(self.top, "log"), env=env)


def owned_by_user():
    """Options of libfuse 2: such a file system makes files of its own user, and the databases insist on theirs."""
    user = pwd.getpwnam(USER)
    return f"allow_other,uid={user.pw_uid},gid={user.pw_gid}"


class Gocryptfs(Peer):
    name = "gocryptfs"

    def create(self):
        proc.run(["gocryptfs", "-init", "-q", "-scryptn", "10", "-passfile", self.secret, self.backing])

    def start(self):
        self.daemon("gocryptfs", "-q", "-allow_other", "-passfile", self.secret, self.backing, self.mountpoint)


class Securefs(Peer):
    name = "securefs"

    def create(self):
        proc.run(["securefs", "create", "--keyfile", self.secret, self.backing])

    def start(self):
        self.daemon("securefs", "mount", "-b", "--keyfile", self.secret, "-o", owned_by_user(), self.backing, self.mountpoint)


class Encfs(Peer):
    """Its standard settings, which authenticate nothing."""
    name = "encfs"

    def start(self):
        self.daemon("encfs", "--standard", "--public", "-S", self.backing, self.mountpoint)


class Cryfs(Peer):
    name = "cryfs"
    caveat = "its fsync flushes nothing to the disk: strace sees none of its own for 100 of the application's"

    def start(self):
        self.daemon("cryfs", self.backing, self.mountpoint, "-o", owned_by_user())


class Ours(Target):
    name = "keystead"
    is_ours = True
    create_options = ()
    mount_options = ()

    def missing(self):
        binary = Keystead.find()
        return "" if os.access(binary, os.X_OK) else f"{binary} is not there (make build)"

    def version(self):
        return Keystead().run("version").stdout.strip().splitlines()[0].partition(" ")[2]

    def mount(self):
        cli = Keystead()
        self.volume = Volume(cli, self.backing, self.mountpoint, os.path.join(self.top, "log"))
        if not os.listdir(self.backing):
            store = KeyStore(cli, os.path.join(self.top, "kms"))
            store.init()
            store.create("bench")
            self.volume.create([store.spec("bench")], *self.create_options)
        self.volume.mount(*self.mount_options)

    def down(self):
        if hasattr(self, "volume"):
            self.volume.unmount(check=False)
        super().down()


class OursDense(Ours):
    name = "keystead-dense"
    create_options = ("--dense",)


class OursIoUring(Ours):
    name = "keystead-io-uring"

    def missing(self):
        if not os.path.exists(RING_SWITCH):
            return "this kernel has no FUSE over io_uring"
        return super().missing()

    def mount(self):
        with open(RING_SWITCH, encoding="ascii") as f:
            before = f.read().strip()
        try:
            with open(RING_SWITCH, "w", encoding="ascii") as f:
                f.write("Y")
            super().mount()
        finally:
            with open(RING_SWITCH, "w", encoding="ascii") as f:
                f.write(before)

    mount_options = ("--io-uring",)


ALL = [Plain, PlainAwake, Passthrough, Gocryptfs, Securefs, Encfs, Cryfs, Ours, OursDense, OursIoUring]
USUAL = [Plain, PlainAwake, Passthrough, Gocryptfs, Ours]
GROUPS = {"usual": USUAL, "peers": [c for c in ALL if c in USUAL or c.is_peer], "all": ALL}


def named(names):
    """The classes that a comma-separated list of targets and groups means, each once; KeyError with the name not known."""
    known = {c.name: [c] for c in ALL} | GROUPS
    wanted = {c for name in names.split(",") for c in known[name]}
    return [c for c in ALL if c in wanted]
