# SPDX-License-Identifier: Apache-2.0
"""What tests of a fleet look at on its volumes, and receipts."""
import json
import os

from . import proc


def write(fleet, cluster, text):
    """A file in each volume; their mountpoints by region."""
    places = fleet.mounts(cluster)
    for mounts in places.values():
        for mount in mounts:
            with open(os.path.join(mount, "file"), "w") as f:
                f.write(text)
    return places


def readable(mounts):
    """What the files say; None for one that cannot be read."""
    found = []
    for mount in mounts:
        try:
            with open(os.path.join(mount, "file")) as f:
                found.append(f.read())
        except OSError:
            found.append(None)
    return found


def check_readable(fleet, cluster, text):
    """Every volume has the file; of one that has not, what it says of itself."""
    shut = [os.path.basename(m) for mounts in fleet.mounts(cluster).values() for m in mounts if readable([m]) != [text]]
    told = [fleet.call("GET", f"/v1/clusters/{cluster}/volumes/{v}") for v in shut]
    assert not shut, f"{told}\n" + "\n".join(map(fleet.logs, shut))


def check_receipts(fleet, cluster, count, reason="REVOKED"):
    """The receipts of a cluster, one for each volume; every one is verified by the command for it."""
    def all_there():
        found = fleet.call("GET", f"/v1/clusters/{cluster}/receipts?limit=500")["items"]
        found = [r for r in found if json.loads(r["text"])["reason"] == reason]
        return found if len({r["volume"] for r in found}) == count else None

    receipts = proc.wait_until(all_there, f"there are {count} receipts")
    path = os.path.join(fleet.work, "receipt.json")
    for receipt in receipts:
        with open(path, "w") as f:
            json.dump(receipt, f)
        fleet.cli.run("receipt", "verify", path, "--ca-file", os.path.join(fleet.dir, "authority.pem"))
    receipt["text"] = receipt["text"].replace('"reason"', '"Reason"')
    with open(path, "w") as f:
        json.dump(receipt, f)
    assert fleet.cli.run("receipt", "verify", path, "--ca-file", os.path.join(fleet.dir, "authority.pem"), check=False).returncode != 0
    return [json.loads(r["text"]) for r in receipts]
