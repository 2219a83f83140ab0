# SPDX-License-Identifier: Apache-2.0
import re

WHY = (
    "only net/ knows which libraries speak HTTP, so that deadlines, bounds, certificates and the wiping of buffers are "
    "decided once; everybody else uses net/http_client.h and net/http_server.h"
)

GOOD = {
    "src/net/a.c": "#include <curl/curl.h>\n#include <microhttpd.h>\n",
    "src/kms/a.c": '#include "net/http_client.h"\n',
}
BAD = {"src/kms/a.c": "#include <curl/curl.h>\n", "src/localkms/a.c": "#include <microhttpd.h>\n"}

_LIBRARY = re.compile(r"^\s*#\s*include\s+<(curl/|microhttpd)")


def check(source):
    if not source.folder or source.folder == "net":
        return
    for number, line in enumerate(source.lines, 1):
        if _LIBRARY.match(line):
            yield number, "an HTTP library outside net/"
