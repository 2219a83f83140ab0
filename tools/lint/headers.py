#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each header compiles alone: it includes what it needs and nothing depends on the order of includes."""

import pathlib
import subprocess
import sys

from cached import digest, run_all

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-DFUSE_USE_VERSION=314", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]


def main():
    packages = subprocess.run(
        ["pkg-config", "--cflags", "fuse3", "jansson", "yaml-0.1", "libsodium", "libcrypto", "cmocka", "p11-kit-1", "libkms_message"],
        check=True, capture_output=True, text=True,
    ).stdout.split()
    command = ["gcc", *FLAGS, *packages, f"-I{ROOT}/src", f"-I{ROOT}/tests", "-x", "c", "-"]
    headers = sorted((ROOT / "src").glob("*/*.h"))
    everything = b"".join(h.read_bytes() for h in headers)
    jobs = [
        (str(h.relative_to(ROOT)), digest("header", command, h, everything), command,
         f'#include "{h.relative_to(ROOT / "src")}"\n'.encode())
        for h in headers
    ]
    return 0 if run_all("headers alone", jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
