#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every C file is built and every test file is run: nothing lies about that nobody compiles."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def words(path):
    return set(re.findall(r"[\w./-]+", path.read_text())) if path.exists() else set()


def missing(folder):
    """C files of the folder whose name, with or without ending, is not in its meson.build or the one above."""
    known = words(folder / "meson.build") | words(folder.parent / "meson.build")
    stems = {re.sub(r"\.c$", "", word).split("/")[-1] for word in known}
    for path in sorted(folder.glob("*.c")):
        short = re.sub(r"(^fuzz_|_test$)", "", path.stem)
        if path.stem not in stems and short not in stems:
            yield path


def main():
    folders = {p.parent for top in ("src", "tests") for p in (ROOT / top).rglob("*.c")}
    lost = [p for folder in sorted(folders) for p in missing(folder)]
    for path in lost:
        print(f"{path.relative_to(ROOT)}: is in no meson.build, so nobody compiles or runs it")
    print(f"wired: {len(folders)} folders, {len(lost)} files forgotten")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
