# SPDX-License-Identifier: Apache-2.0
"""What a run that was killed has left of itself."""
import os

from harness import proc


def end(directory):
    """Ends whatever names a path below directory on its command line, and unmounts whatever is mounted there."""
    for pid in [int(p) for p in os.listdir("/proc") if p.isdigit()]:
        if os.path.join(directory, "") in proc.command_line(pid):
            proc.kill_tree(pid)
    for mount in proc.mounts_below(directory):
        proc.unmount(mount)


def remove_contents(directory):
    """Of a directory in which nothing is mounted any more."""
    proc.run(["find", directory, "-xdev", "-mindepth", "1", "-delete"], timeout=3600)
