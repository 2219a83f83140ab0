# SPDX-License-Identifier: Apache-2.0
"""Goal: what an older build wrote is read by this one, for ever: a whole volume with its key store, packed when the
format was made (tests/formats), opens, verifies and has the contents that it had.

The customer's key is named by the absolute path of its store, so the sample lies where it lay when it was packed.
"""
import os
import shutil
import subprocess

import pytest

from harness.keystead import Volume

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = os.path.join(os.path.dirname(HERE), "formats")


@pytest.fixture(params=["v1"])
def sample(request, cli, work):
    place = f"/tmp/keystead-format-{request.param}"
    if os.path.exists(f"{place}/volume/keyring.0"):
        shutil.rmtree(place)  # of a run that was killed
    os.mkdir(place)  # anything else there is not ours to take away
    try:
        subprocess.run(["tar", "--xattrs", "-xzf", os.path.join(SAMPLES, f"{request.param}.tar.gz"),
                        "-C", "/tmp"], check=True)
        yield Volume(cli, os.path.join(place, "volume"), os.path.join(work, "mnt"),
                     os.path.join(work, "volume.log"))
    finally:
        shutil.rmtree(place)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def test_sample_of_each_format__opens_verifies_and_is_what_it_was(sample):
    sample.mount()
    try:
        mnt = sample.mountpoint
        blocks = bytearray(i % 251 for i in range(10000))
        blocks[5000:5017] = b"second generation"
        assert read(f"{mnt}/empty") == b""
        assert read(f"{mnt}/dir/hello") == b"hello\n"
        assert read(f"{mnt}/dir/blocks") == blocks
        assert read(f"{mnt}/sparse") == bytes(1 << 20) + b"end"
        assert read(f"{mnt}/{'n' * 255}") == b"a long name\n"
        assert os.readlink(f"{mnt}/link") == "dir/hello"
        assert os.readlink(f"{mnt}/long-link") == "t" * 4000
        assert os.path.samefile(f"{mnt}/dir/deeper/hard", f"{mnt}/dir/hello")
        assert os.getxattr(f"{mnt}/dir/hello", "user.owner") == b"alice"
        assert sorted(os.listdir(mnt)) == sorted(["empty", "dir", "sparse", "n" * 255, "link", "long-link"])
        status = sample.status()
        assert [g["generation"] for g in status["generations"]] == [1, 2]
        assert [w["state"] for w in status["wraps"]] == ["RETIRED", "ACTIVE"]
        sample.call("verify")
    finally:
        sample.unmount()
