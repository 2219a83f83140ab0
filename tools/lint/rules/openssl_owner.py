# SPDX-License-Identifier: Apache-2.0
import re

WHY = (
    "only crypto/ knows which library does the arithmetic; everybody else uses crypto/*.h. libsodium is here "
    "for guarded memory (base/secret.c, base/mem.c), for base64 and hexadecimal (base/base64.c, volume/names.c) and for passphrases "
    "(crypto/); cli/cmd_version.c tells the versions of both"
)

GOOD = {"src/crypto/a.c": "#include <openssl/evp.h>\n", "src/base/secret.c": "#include <sodium.h>\n"}
BAD = {"src/key/a.c": "#include <openssl/evp.h>\n", "src/key/b.c": "#include <sodium.h>\n"}

_OPENSSL = re.compile(r"^\s*#\s*include\s+<openssl/")
_SODIUM = re.compile(r"^\s*#\s*include\s+<sodium")
VERSION = {"src/cli/cmd_version.c"}
SODIUM_OWNERS = {"src/base/base64.c", "src/base/secret.c", "src/base/mem.c", "src/volume/names.c"} | VERSION


def check(source):
    if not source.folder:
        return
    for number, line in enumerate(source.lines, 1):
        if _OPENSSL.match(line) and source.folder != "crypto" and source.path not in VERSION:
            yield number, "OpenSSL outside crypto/"
        if _SODIUM.match(line) and source.path not in SODIUM_OWNERS and source.folder != "crypto":
            yield number, "libsodium outside its owners"
