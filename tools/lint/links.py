#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every relative link of a document leads to a file of the checkout."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def main():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    broken = 0
    for name in listed:
        document = ROOT / name
        for number, line in enumerate(document.read_text(encoding="utf-8").split("\n"), 1):
            for target in LINK.findall(line):
                if "://" not in target and not (document.parent / target).exists():
                    print(f"{name}:{number}: {target} does not exist")
                    broken += 1
    print(f"links: {len(listed)} documents, {broken} broken links")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
