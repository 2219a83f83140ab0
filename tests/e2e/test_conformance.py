# SPDX-License-Identifier: Apache-2.0
"""Goal: the mount does what POSIX and the manual pages say, and what it does otherwise than ext4 is written down.

tests/posix/posix_suite runs on ext4 and on a volume whose backing directory is on the same ext4. ext4 must pass every
case: that shows that the suite asks the right questions. The two must agree except in the rows of the table
"Differences" of docs/POSIX.md, and every row must still be true.
"""
import os
import re

import pytest

from harness import proc
from harness.keystead import ROOT
from harness.native import native

DOCUMENT = os.path.join(ROOT, "docs/POSIX.md")
IMAGE_BYTES = 8 << 30  # sparse
RESULT = re.compile(r"(ok|not ok) \d+ - (\S+?\.\S+)(?: # (.*))?$")
ROW = re.compile(r"\| `([a-z_]+\.\S+)` \| (.*?) \| (.*?) \|")


@pytest.fixture
def ext4(work):
    """A directory on an ext4 of our own, for the suite and for the backing directory alike."""
    image, point = os.path.join(work, "ext4.img"), os.path.join(work, "ext4")
    with open(image, "wb") as f:
        f.truncate(IMAGE_BYTES)
    proc.run(["mkfs.ext4", "-q", "-F", "-b", "4096", "-I", "256", image])
    os.mkdir(point)
    proc.run(["mount", "-o", "loop", image, point])
    yield point
    for mount in [*proc.mounts_below(point), point]:
        proc.unmount(mount)


def suite(directory):
    """{case: what came out}: "ok", or its note, or "fails: ..."."""
    done = proc.run([native("posix_suite"), directory], timeout=500, check=False)
    results = {}
    for line in done.stdout.splitlines():
        match = RESULT.match(line)
        if match:
            word, case, note = match.groups()
            results[case] = f"fails: {note}" if word != "ok" else note or "ok"
    assert done.stdout.endswith(f"1..{len(results)}\n"), done.stdout[-2000:] + done.stderr[-2000:]
    return results


def documented():
    """{case: (on ext4, on a volume)} of the table."""
    with open(DOCUMENT, encoding="utf-8") as f:
        return {m.group(1): (m.group(2), m.group(3)) for m in map(ROW.match, f) if m}


def test_posix_suite__a_volume_differs_from_ext4_only_as_documented(ext4, new_volume, store):
    plain = os.path.join(ext4, "plain")
    os.mkdir(plain)
    on_ext4 = suite(plain)
    failed = {case: said for case, said in on_ext4.items() if said.startswith("fails")}
    assert not failed, f"ext4 itself: {failed}"

    volume = new_volume([store.spec("orders")], name="ext4/volume")
    volume.mount()
    on_volume = suite(volume.mountpoint)
    assert os.listdir(volume.mountpoint) == []
    volume.unmount()

    found = {case: (said, on_volume[case]) for case, said in on_ext4.items() if said != on_volume[case]}
    written = documented()
    surprises = {case: both for case, both in found.items() if written.get(case) != both}
    gone = sorted(set(written) - set(found))
    rows = "".join(f"| `{case}` | {a} | {b} | |\n" for case, (a, b) in surprises.items())
    assert not surprises, f"not as in docs/POSIX.md:\n{rows}"
    assert not gone, f"docs/POSIX.md tells of differences that are gone: {gone}"
