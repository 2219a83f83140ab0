# SPDX-License-Identifier: Apache-2.0
import re

WHY = (
    "only base/yaml.c knows the library that reads YAML, so that what is refused (aliases, tags, doubtful numbers, names that "
    "stand twice) is refused in every file"
)

GOOD = {"src/base/yaml.c": "#include <yaml.h>\n", "src/cli/a.c": '#include "base/yaml.h"\n'}
BAD = {"src/cli/a.c": "#include <yaml.h>\n", "src/base/json.c": "#include <yaml.h>\n"}

_LIBRARY = re.compile(r"^\s*#\s*include\s+<yaml\.h>")


def check(source):
    if not source.folder or source.path == "src/base/yaml.c":
        return
    for number, line in enumerate(source.lines, 1):
        if _LIBRARY.match(line):
            yield number, "libyaml outside base/yaml.c"
