#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs our own rules over the checkout.

run.py              every rule over every C file; exit 1 with findings
run.py --selftest   every rule against its own good and bad example
run.py --report     the longest functions and files, for information

A rule is a file rules/NAME.py with
  WHY                what goes wrong without the rule, and what to do instead
  GOOD, BAD          {path: text}: a file that passes, and one that must not
  check(source)      yields (line number, message) for one file (source.py)
"""

import importlib.util
import pathlib
import subprocess
import sys

from source import Source

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def rules():
    for path in sorted((HERE / "rules").glob("*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield path.stem, module


def checkout():
    """Every C file and header that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "src", "tests", "bench", "tools"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\n")
    for path in sorted(p for p in listed if p.endswith((".c", ".h", ".def"))):
        if (ROOT / path).is_file():
            yield Source(path, (ROOT / path).read_text(encoding="utf-8"))


def run():
    sources = list(checkout())
    found = 0
    for name, rule in rules():
        hits = [(s.path, *hit) for s in sources for hit in rule.check(s)]
        for path, line, message in hits:
            print(f"{path}:{line}: {message} [{name}]")
        if hits:
            print(f"    {name}: {rule.WHY}")
        found += len(hits)
    print(f"rules: {len(sources)} files, {found} findings")
    return found


def selftest():
    failed = count = 0
    for name, rule in rules():
        count += 1
        for path, text in rule.GOOD.items():
            for line, message in rule.check(Source(path, text)):
                print(f"{name}: its good example {path}:{line} is refused: {message}")
                failed += 1
        for path, text in rule.BAD.items():
            if not list(rule.check(Source(path, text))):
                print(f"{name}: its bad example {path} passes")
                failed += 1
        if not rule.GOOD or not rule.BAD:
            print(f"{name}: has no example")
            failed += 1
    print(f"selftest: {count} rules, {failed} failures")
    return failed


def report():
    sources = list(checkout())
    lengths = sorted(
        (length, s.path, line, name) for s in sources for line, name, length in s.functions()
    )
    own = sorted(n for n, p, _, _ in lengths if p.startswith("src/"))
    if own:
        print(f"functions in src: {len(own)}, median {own[len(own) // 2]} lines, "
              f"90 % within {own[len(own) * 9 // 10]}, longest {own[-1]}")
    for length, path, line, name in reversed(lengths):
        if length > 60:
            print(f"{path}:{line}: {name} has {length} lines")
    return 0


if __name__ == "__main__":
    action = {"--selftest": selftest, "--report": report}.get("".join(sys.argv[1:]), run)
    sys.exit(1 if action() else 0)
