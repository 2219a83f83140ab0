# SPDX-License-Identifier: Apache-2.0
import re

WHY = "memcmp tells by its time how many bytes are right; tags, MACs, commitments and keys use secret_is_equal"

GOOD = {"src/key/a.c": "if (!secret_is_equal(mac, want))\nif (memcmp(magic, in, 4) != 0)\n"}
BAD = {"src/key/a.c": "if (memcmp(mac, want_mac, 32) != 0)\n", "src/crypto/a.c": "view_is_equal(tag, tag_seen);\n"}

_COMPARE = re.compile(r"\b(memcmp|bcmp|strcmp|view_is_equal)\s*\(([^;]*)")
_SECRET = re.compile(r"(^|[^a-z])(mac|tag|commitment|secret|key_bytes|kek|dek|plain_key|passphrase)s?($|[^a-z])")


def check(source):
    if not source.folder:
        return
    for number, line in enumerate(source.code_lines, 1):
        for match in _COMPARE.finditer(line):
            if _SECRET.search(match.group(2)):
                yield number, f"{match.group(1)} on what looks like a secret or an authenticator"
