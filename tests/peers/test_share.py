# SPDX-License-Identifier: Apache-2.0
"""Goal of this test: volumes under one key share their probes, and each of them still locks when the key is denied."""
import os

import pytest
from test_transit import POLICY, Volume, bao  # noqa: F401


@pytest.fixture
def volumes(bao, keystead, tmp_path):  # noqa: F811
    bao.ask("PUT", "sys/policies/acl/driver", {"policy": POLICY})
    bao.ask("POST", "transit/keys/orders", {})
    token = tmp_path / "token"
    token.write_text(bao.token() + "\n")
    made = []
    for n in range(4):
        work = tmp_path / str(n)
        work.mkdir()
        made.append(Volume(keystead, work, ["--key", f"vault_transit:{bao.url}/v1/transit/keys/orders", "--key-file", token]))
        made[-1].env["KEYSTEAD_RUN_DIR"] = str(tmp_path / "0" / "run")
        made[-1].mount()
    yield made
    for volume in made:
        volume("unmount", volume.at, check=False)


def test_volumes__sharing_probes_when_the_key_is_denied__each_locks_and_each_opens_again(bao, volumes):  # noqa: F811
    # one board and one budget for all of them, as soon as one has probed
    volumes[0]("unlock", volumes[0].at, check=False)
    names = os.listdir(os.path.join(volumes[0].env["KEYSTEAD_RUN_DIR"], "kms"))
    assert sorted(n.split("-")[0] for n in names) == ["budget", "probe"]
    bao.ask("PUT", "sys/policies/acl/driver", {"policy": 'path "x" { capabilities = ["read"] }'})
    for volume in volumes:
        volume.wait_state("LOCKED")
    bao.ask("PUT", "sys/policies/acl/driver", {"policy": POLICY})
    for volume in volumes:
        volume.wait_state("OPEN")
