# SPDX-License-Identifier: Apache-2.0
import re

WHY = "one comment style; and work to be done stands in an issue, not in the source"

GOOD = {"src/base/a.c": '/* see https://example.org */\nconst char *u = "http://x";\n'}
BAD = {"src/base/a.c": "int a; // note\n", "tests/unit/a_test.c": "/* TODO: more */\n"}

_STRINGS = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
_LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def check(source):
    inside = False
    for number, line in enumerate(source.lines, 1):
        rest = _STRINGS.sub('""', line)
        if _LATER.search(rest):
            yield number, "work to be done belongs in an issue"
        while rest:
            if inside:
                end = rest.find("*/")
                inside, rest = (True, "") if end < 0 else (False, rest[end + 2:])
            else:
                block, slashes = rest.find("/*"), rest.find("//")
                if 0 <= slashes and (block < 0 or slashes < block):
                    yield number, "write comments as /* */"
                    break
                inside, rest = (False, "") if block < 0 else (True, rest[block + 2:])
