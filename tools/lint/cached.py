# SPDX-License-Identifier: Apache-2.0
"""Runs one command per file, at most as many at once as there are cores, and remembers what passed.

A pass is remembered under the hash of everything that can change the verdict, so it also holds for
another checkout. Failures are never remembered.
"""

import concurrent.futures
import hashlib
import os
import pathlib
import subprocess


def cache_dir():
    base = os.environ.get("KEYSTEAD_CACHE")
    if not base:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        base = os.path.join(home, "keystead")
    path = pathlib.Path(base) / "lint"
    path.mkdir(parents=True, exist_ok=True)
    return path


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()


def run_one(job):
    """job: (name, key, command, stdin). Returns (name, output, was it remembered)."""
    name, key, command, stdin = job
    mark = cache_dir() / key
    if mark.exists():
        return name, "", True
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    output = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode == 0:
        mark.touch()
        return name, "", False
    return name, output or f"{command[0]} ended with {done.returncode}\n", False


def run_all(what, jobs):
    """Prints what failed and a summary; returns whether all passed. No job at all is a failure."""
    workers = int(os.environ.get("JOBS") or os.cpu_count() or 1)
    failed = remembered = count = 0
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for name, output, was_remembered in pool.map(run_one, jobs):
            count += 1
            remembered += was_remembered
            if output:
                failed += 1
                print(f"{what}: {name}\n{output}", end="")
    print(f"{what}: {count} files, {remembered} unchanged since they passed, {failed} failed")
    return failed == 0 and count > 0
