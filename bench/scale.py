#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a volume costs beside time per request: processor time, memory, and how long a mount takes.

    bench/scale.py [--files 1000,100000] [--mib 1024] [--dir DIR]

Prints CPU seconds of the volume process for each GiB written and read, its resident memory before and under that
load, and the time to mount the volume with so many files in it, which must not depend on their number. Needs root.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests", "e2e")]

from harness import proc  # noqa: E402
from harness.keystead import KeyStore, Keystead, Volume  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
MOUNTS = 7


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
        f.write("3")


def fio(directory, rw, mib):
    proc.run(["fio", "--name=scale", f"--directory={directory}", f"--rw={rw}", "--bs=1M", f"--size={mib}M",
              "--end_fsync=1", "--minimal"], timeout=600)


def load(volume, mib):
    """Prints what writing and reading cost the volume process."""
    print(f"resident after the mount: {resident_mib(volume.pid):.0f} MiB")
    for rw in ("write", "read"):
        drop_caches()
        before = cpu_seconds(volume.pid)
        fio(volume.mountpoint, rw, mib)
        spent = (cpu_seconds(volume.pid) - before) * 1024 / mib
        print(f"{rw}: {spent:.2f} CPU seconds per GiB, resident {resident_mib(volume.pid):.0f} MiB")


def fill(volume, have, want):
    """Empty files, 10 000 to a directory."""
    for k in range(have, want):
        directory = os.path.join(volume.mountpoint, f"d{k // 10000}")
        if k % 10000 == 0 or k == have:
            os.makedirs(directory, exist_ok=True)
        os.close(os.open(os.path.join(directory, f"f{k}"), os.O_CREAT | os.O_WRONLY, 0o600))


def mount_time(volume):
    taken = []
    for _ in range(MOUNTS):
        volume.unmount()
        drop_caches()
        started = time.monotonic()
        volume.mount()
        os.listdir(volume.mountpoint)
        taken.append(time.monotonic() - started)
    return statistics.median(taken)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--files", default="1000,100000")
    p.add_argument("--mib", type=int, default=1024)
    p.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"))
    args = p.parse_args()
    if not shutil.which("fio"):
        sys.exit("fio is not there (apt-get install it)")
    top = tempfile.mkdtemp(prefix="keystead-scale-", dir=args.dir)
    cli = Keystead()
    store = KeyStore(cli, os.path.join(top, "kms")).init()
    store.create("bench")
    volume = Volume(cli, os.path.join(top, "backing"), os.path.join(top, "mnt"), os.path.join(top, "log"))
    try:
        volume.create([store.spec("bench")])
        volume.mount()
        load(volume, args.mib)
        have = 0
        for want in sorted(map(int, args.files.split(","))):
            fill(volume, have, want)
            have = want
            print(f"mount with {want} files, caches cold: {mount_time(volume) * 1000:.0f} ms")
    finally:
        volume.unmount(check=False)
        proc.unmount(volume.mountpoint)
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as e:
        sys.exit(str(e))
