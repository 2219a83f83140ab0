# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests.

They run the real program (KEYSTEAD_BIN, default build/gcc/src/cli/keystead) and real engines, need root, and
work below KEYSTEAD_TEST_DIR (default /var/tmp) on a real disk. Whatever a test starts is a descendant of
this process and whatever it mounts lies below its directory; both are taken away after each test, and
a test that leaves something running that it should have ended itself does not go unnoticed: see `clean`.
"""
import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import proc  # noqa: E402
from harness.keystead import KeyStore, Keystead, Volume  # noqa: E402

# Quick probes, so that tests wait for decisions, not for clocks.
FAST = ("--probe", "200ms", "--lease", "2s")


def pytest_configure(config):
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests need root: they mount volumes and run engines as other users")
    binary = Keystead.find()
    if not os.access(binary, os.X_OK):
        pytest.exit(f"{binary} is not there: run `make build`, or set KEYSTEAD_BIN", 2)
    proc.adopt_orphans()


@pytest.fixture(scope="session")
def top():
    """Where everything happens; removed at the end, when nothing is mounted or running any more."""
    path = tempfile.mkdtemp(prefix="keystead-e2e-", dir=os.environ.get("KEYSTEAD_TEST_DIR", "/var/tmp"))
    os.chmod(path, 0o755)
    os.environ["KEYSTEAD_RUN_DIR"] = os.path.join(path, "run")
    os.mkdir(os.path.join(path, "run"), 0o700)
    yield path
    left = [f"{pid} {proc.command_line(pid)}" for pid in proc.descendants()]
    mounts = proc.mounts_below(path)
    if not mounts:
        shutil.rmtree(path, ignore_errors=True)
    assert not left and not mounts, f"left behind by the tests: {left} {mounts}"


def clean(work):
    """End every process and mount of a test, whatever state it left them in."""
    for pid in proc.descendants():
        proc.kill_tree(pid, timeout=20)
    for mount in proc.mounts_below(work):
        proc.unmount(mount)
    proc.wait_until(lambda: not proc.mounts_below(work), f"nothing is mounted below {work}")


@pytest.fixture
def work(top, request):
    """A directory for one test."""
    path = tempfile.mkdtemp(prefix="t-", dir=top)
    os.chmod(path, 0o755)
    try:
        yield path
    finally:
        failed = getattr(request.node, "failed", False)
        clean(path)
        if failed and os.environ.get("KEYSTEAD_TEST_KEEP"):
            print(f"kept: {path}")
        else:
            shutil.rmtree(path, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Show the volume's log with a failure, and let `work` know of it."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        item.failed = True
        work_dir = item.funcargs.get("work")
        for name in sorted(os.listdir(work_dir)) if work_dir else []:
            if name.endswith(".log"):
                report.sections.append((name, proc.tail(os.path.join(work_dir, name))))


@pytest.fixture
def cli():
    return Keystead()


@pytest.fixture
def store(cli, work):
    """A key store with one key, `orders`."""
    made = KeyStore(cli, os.path.join(work, "kms")).init()
    made.create("orders")
    return made


@pytest.fixture
def new_volume(cli, work):
    """new_volume(specs, *options, name=...): creates a volume, not mounted."""
    def make(specs, *options, name="volume"):
        volume = Volume(cli, os.path.join(work, name), os.path.join(work, f"{name}-mnt"),
                        os.path.join(work, f"{name}.log"))
        return volume.create(specs, *(options or FAST))
    return make


@pytest.fixture
def volume(store, new_volume):
    """A volume under `orders`, not mounted."""
    return new_volume([store.spec("orders")])


@pytest.fixture
def mounted(volume):
    volume.mount()
    return volume


def make_engine(cls, volume, work):
    """An engine with its data on the volume; the reason and a failure when it is not installed."""
    why = cls.missing()
    assert not why, why
    os.makedirs(volume.mountpoint, exist_ok=True)
    return cls(volume.mountpoint, os.path.join(work, "aux"))
