# SPDX-License-Identifier: Apache-2.0
import re

WHY = (
    "the arrows go only one way: base <- crypto, io <- net <- kms, key <- volume <- fuse <- control <- api, node, localkms <- cli; folders of one "
    "rank do not know each other. Move the shared part down, or pass it in"
)

RANK = {"base": 0, "crypto": 1, "io": 1, "net": 2, "kms": 3, "key": 3, "volume": 4, "fuse": 5,
        "control": 6, "api": 7, "node": 7, "localkms": 7, "cli": 9}

GOOD = {
    "src/key/a.c": '#include "key/a.h"\n#include "base/rc.h"\n#include "io/io.h"\n',
    "tests/unit/a_test.c": '#include "fuse/mount.h"\n',
}
BAD = {
    "src/base/a.c": '#include "io/io.h"\n',
    "src/io/a.c": '#include "crypto/siv.h"\n',
    "src/crypto/a.c": '#include "net/http_client.h"\n',
    "src/key/a.c": '#include "a.h"\n',
    "src/volume/a.c": '#include "../key/keyring.h"\n',
}

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def check(source):
    if not source.folder:
        return
    for number, line in enumerate(source.lines, 1):
        match = _INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1).split("/")[0]
        if target not in RANK or "/" not in match.group(1):
            yield number, f'include "{match.group(1)}" is not written as "folder/file.h"'
        elif source.folder not in RANK:
            yield number, f"folder src/{source.folder} has no rank in tools/lint/rules/include_direction.py"
        elif target != source.folder and RANK[target] >= RANK[source.folder]:
            yield number, f"{source.folder}/ must not include {target}/"
