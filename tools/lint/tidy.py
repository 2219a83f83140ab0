#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over every source file under src/ that build/clang compiles.

A file is looked at again when its text, anything it includes, its flags, .clang-tidy or clang-tidy itself
has changed.
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys

from cached import digest, run_all

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build") / "clang"
FACTS = ROOT / "tools/lint/analyzer.h"


def preprocessed(entry):
    """What the compiler sees; without line markers, so that the place of the checkout does not count."""
    command = shlex.split(entry["command"])
    keep, skip = [], False
    for word in command:
        if skip or word in ("-c", "-MD"):
            skip = False
        elif word in ("-o", "-MQ", "-MF"):
            skip = True
        else:
            keep.append(word)
    done = subprocess.run([*keep, "-E", "-P"], cwd=entry["directory"], capture_output=True, check=False)
    return digest([w for w in keep if w.startswith("-")], done.returncode, done.stdout)


def main():
    entries = json.loads((BUILD / "compile_commands.json").read_text())
    version = subprocess.run(["clang-tidy", "--version"], check=True, capture_output=True).stdout
    config = (ROOT / ".clang-tidy").read_bytes()
    jobs = []
    for entry in sorted(entries, key=lambda e: e["file"]):
        path = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if not path.is_relative_to(ROOT / "src"):
            continue
        command = ["clang-tidy", "--quiet", "-p", str(BUILD), str(path)]
        if path.name != "rc.c":
            command.insert(1, f"--extra-arg=-include{FACTS}")
        key = digest("tidy", version, config, FACTS.read_bytes(), path.read_bytes(), preprocessed(entry))
        jobs.append((str(path.relative_to(ROOT)), key, command, None))
    return 0 if run_all("clang-tidy", jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
