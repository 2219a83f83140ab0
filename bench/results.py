# SPDX-License-Identifier: Apache-2.0
"""RESULTS.md: each tool replaces the part that it measured, between marks, and leaves everything else alone."""
import os

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "RESULTS.md")


def replaced(text, part, body):
    """text with that part's body; a part that is not there yet is put at the end."""
    begin, end = f"<!-- begin {part} -->\n", f"<!-- end {part} -->\n"
    body = begin + body.strip("\n") + "\n" + end
    if begin not in text:
        return text.rstrip("\n") + "\n\n" + body
    head, _, rest = text.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise ValueError(f"{begin.strip()} has no {end.strip()}")
    return head + body + tail


def write(path, part, body):
    text = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            text = f.read()
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(replaced(text, part, body).lstrip("\n"))
    os.replace(path + ".new", path)
    print(f"written to {path}, part {part}")
