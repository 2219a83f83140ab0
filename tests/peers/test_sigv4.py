# SPDX-License-Identifier: Apache-2.0
"""Goal: what botocore signs is found signed, in headers and presigned, whatever is in path, query, headers and body; and what
was changed after signing is not."""
import calendar
import datetime
import json
import random
import subprocess
from unittest import mock
from urllib.parse import quote, urlsplit

import pytest

from conftest import BUILD

botocore_auth = pytest.importorskip("botocore.auth", reason="botocore is not installed: run `make peers`")
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402

SEED, REQUESTS = 20261122, 1000
ODD = "abcXYZ019-_.~ !*'();:@&=+$,/?#[]%\"<>\\^`{|}\u00e9\u4e16"


def text(rng, longest, letters=ODD):
    return "".join(rng.choice(letters) for _ in range(rng.randrange(longest)))


def make(rng):
    """A request as a client would build it: path and parameters already encoded."""
    service = rng.choice(["kms", "sts", "iam"])
    path = "/" + "/".join(quote(text(rng, 8), safe="") for _ in range(rng.randrange(4)))
    if rng.random() < 0.3:
        path += rng.choice(["/", "//", "/./x", "/a/../b", "/.."])
    params = {text(rng, 8) or "k": text(rng, 12) for _ in range(rng.randrange(5))}
    query = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in params.items())
    url = f"https://{service}.eu-west-1.amazonaws.com{path}" + (f"?{query}" if query else "")
    headers = {"Content-Type": rng.choice(["application/x-amz-json-1.1", "text/plain;  charset=x"])}
    if service == "kms":
        headers["X-Amz-Target"] = "TrentService." + rng.choice(["Encrypt", "Decrypt", "ListKeys"])
    for i in range(rng.randrange(4)):
        headers[f"X-Odd-{i}"] = text(rng, 20, "ab \t,;=\"").strip()
    body = rng.randbytes(rng.choice([0, 1, 64, 1000])) if rng.random() < 0.5 else text(rng, 200).encode()
    return service, AWSRequest(rng.choice(["POST", "POST", "GET", "PUT"]), url, headers=headers, data=body)


def sign(rng, service, request, when):
    token = text(rng, 60, "abcABC+/=") or None
    credentials = Credentials("AKIDEXAMPLE", text(rng, 40, "abcABC+/") or "s", token)
    is_query = rng.random() < 0.3
    if is_query:
        request.data = {}  # botocore presigns no other body
    signer = (botocore_auth.SigV4QueryAuth(credentials, service, "eu-west-1", expires=900) if is_query
              else botocore_auth.SigV4Auth(credentials, service, "eu-west-1"))
    with mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: when):
        signer.add_auth(request)
    return credentials.secret_key


def as_line(service, request, secret, when):
    url = urlsplit(request.url)
    prepared = request.prepare()
    body = prepared.body or b""
    headers = [[name, value.decode() if isinstance(value, bytes) else value]
               for name, value in prepared.headers.items()]
    if not any(name.lower() == "host" for name, _ in headers):
        headers.append(["Host", url.netloc])
    return {"method": request.method, "path": url.path, "query": url.query, "headers": headers, "secret": secret,
            "service": service, "now": calendar.timegm(when.timetuple()),
            "body": (body.encode() if isinstance(body, str) else bytes(body)).hex()}


def change(rng, line):
    """One thing that a signature covers, changed."""
    line = json.loads(json.dumps(line))
    where = rng.choice(["method", "path", "query", "body", "secret", "header"])
    if where == "method":
        line["method"] = "DELETE"
    elif where == "path":
        line["path"] += "/x"
    elif where == "query":
        line["query"] += ("&" if line["query"] else "") + "zz=1"
    elif where == "body":
        line["body"] += "00"
    elif where == "secret":
        line["secret"] += "x"
    else:
        pair = next(p for p in line["headers"] if p[0].lower() == "host")
        pair[1] = "elsewhere.example"
    return line


def judge(lines):
    result = subprocess.run([BUILD / "tests/support/sigv4_check"], input="".join(json.dumps(x) + "\n" for x in lines),
                            capture_output=True, text=True, timeout=120, check=True)
    return result.stdout.splitlines()


def test_requests_signed_by_botocore():
    rng = random.Random(SEED)
    when = datetime.datetime(2026, 11, 22, 1, 2, 3)
    lines = []
    for _ in range(REQUESTS):
        service, request = make(rng)
        lines.append(as_line(service, request, sign(rng, service, request, when), when))
    for line, verdict in zip(lines, judge(lines), strict=True):
        assert verdict == "signed", line
    changed = [change(rng, line) for line in lines]
    for line, verdict in zip(changed, judge(changed), strict=True):
        assert verdict == "not signed", line


def test_requests_sent_too_late():
    rng = random.Random(SEED + 1)
    when = datetime.datetime(2026, 11, 22, 1, 2, 3)
    service, request = make(rng)
    while "X-Amz-Signature" in request.url or not request.headers.get("Authorization"):
        service, request = make(rng)
        line = as_line(service, request, sign(rng, service, request, when), when)
    verdicts = judge([{**line, "now": line["now"] + shift} for shift in (-301, -300, 300, 301)])
    assert verdicts[0].startswith("InvalidSignatureException: Signature not yet current: 20261122T010203Z"), verdicts
    assert verdicts[1:3] == ["signed", "signed"]
    assert verdicts[3].startswith("InvalidSignatureException: Signature expired: 20261122T010203Z"), verdicts
