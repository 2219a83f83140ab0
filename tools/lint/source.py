# SPDX-License-Identifier: Apache-2.0
"""A C file as the rules see it: its path, its lines, and its code with comments and strings blanked."""

import re

_TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/)|(?P<line>//[^\n]*)|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<char>'(?:\\.|[^'\\\n])*')""",
    re.S | re.X,
)


def _blank(match):
    """Spaces in place of the text; the newlines and the quotes stay, so that lines keep their numbers."""
    text = match.group()
    body = re.sub(r"[^\n]", " ", text)
    if match.lastgroup in ("string", "char"):
        return text[0] + body[1:-1] + text[-1]
    return body


class Source:
    """path is relative to the root of the checkout, e.g. src/base/buf.c."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self.code = _TOKEN.sub(_blank, text)
        self.code_lines = self.code.split("\n")

    @property
    def folder(self):
        """The area: "base" for src/base/buf.c, "" outside src/."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "src" and len(parts) > 2 else ""

    @property
    def is_test(self):
        return self.path.startswith("tests/")

    def calls(self, names):
        """(line number, name) of each call of one of the functions."""
        pattern = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")
        for number, line in enumerate(self.code_lines, 1):
            for match in pattern.finditer(line):
                yield number, match.group(1)

    def functions(self):
        """(line number, name, lines from the opening to the closing brace) of each function.

        Relies on the formatting that clang-format gives: the braces of a function stand in column 0."""
        start, head = 0, ""
        for number, line in enumerate(self.code_lines, 1):
            if line.startswith("{"):
                start = number
            elif line.startswith("}") and start:
                name = re.search(r"(\w+)\s*\([^()]*(?:\([^()]*\)[^()]*)*\)[^()]*$", head.strip())
                if name:
                    yield start, name.group(1), number - start + 1
                start, head = 0, ""
            elif not start:
                head = (head + " " + line) if line.strip() else ""
