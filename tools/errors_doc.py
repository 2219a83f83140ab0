#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/ERRORS.md from src/base/errors.def; with --check says whether it is current."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "src/base/errors.def"
DOCUMENT = ROOT / "docs/ERRORS.md"

ROW = re.compile(r'^KS_ERROR\((\w+),\s*(\w+),\s*(\w+),\s*(\d+),\s*(\d+),\s*"([^"]*)"\)$', re.M)

HEAD = """# Errors and exit codes

Made by `tools/errors_doc.py` from `src/base/errors.def`; do not edit.

Every failure has a class, which decides what Keystead does about it, and a name, which tells what it was.
A command that fails prints what failed, on which object and what to do about it, and ends with the exit
code of the class. With `--output json` the error is `{"error": {"class", "code", "message"}}`.

| exit code | class | meaning |
|---:|---|---|
"""

CLASSES = [
    ("OK", "done"),
    ("USAGE", "the request cannot be carried out as it is; nothing was changed"),
    ("DENIED", "an authenticated refusal of the key service about this key, or a locked volume"),
    ("UNREACHABLE", "no answer about the key: network, time-out, throttling, credentials; says nothing about the key"),
    ("BUSY", "another process holds it; try again later"),
    ("CORRUPT", "data is not what was written, or not where it was written, or belongs to another key"),
    ("IO", "the operating system failed to read or write"),
    ("LIMIT", "a bound was reached: space, memory, size, locked memory"),
    ("BUG", "cannot happen; please report it with the message"),
]

BODY = """
Errors of the operating system without a name of their own have the name `OS` and the class that fits their
errno.

| name | class | errno | HTTP | exit | text |
|---|---|---|---:|---:|---|
"""


def render():
    text = TABLE.read_text()
    rows = ROW.findall(text)
    if len(rows) != len(re.findall(r"^KS_ERROR\(", text, re.M)):
        sys.exit(f"{TABLE}: a line is not understood")
    exits = {}
    for _, cls, _, _, code, _ in rows:
        if exits.setdefault(cls, code) != code:
            sys.exit(f"{TABLE}: class {cls} has two exit codes")
    unknown = set(exits) - {name for name, _ in CLASSES}
    if unknown:
        sys.exit(f"errors_doc.py does not know the class {', '.join(sorted(unknown))}")
    out = HEAD
    out += "".join(f"| {exits[name]} | {name} | {meaning} |\n" for name, meaning in CLASSES if name in exits)
    out += BODY
    for name, cls, err, http, code, meaning in rows:
        out += f"| {name} | {cls} | {'' if err == '0' else err} | {http} | {code} | {meaning} |\n"
    return out


def main():
    if sys.argv[1:] == ["--check"]:
        if not DOCUMENT.exists() or DOCUMENT.read_text() != render():
            print("docs/ERRORS.md is not what src/base/errors.def says: run tools/errors_doc.py")
            return 1
        return 0
    DOCUMENT.write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
