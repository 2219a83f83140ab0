# SPDX-License-Identifier: Apache-2.0
"""schemathesis makes requests of all kinds out of the OpenAPI document of the control plane, good ones and bad ones, and looks at each
reply: never a 5xx, never a status, a content type, a header or a body that the document does not know."""
import os
import re
import subprocess
import sys

import pytest
from conftest import BUILD, ROOT, peer_dir

sys.path.append(str(ROOT / "tests/e2e"))

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """A control plane with a node, a cluster in its region, and an organisation beside the first."""
    from harness.keystead import Keystead
    from harness.serve import ControlPlane, Joined
    work = str(tmp_path_factory.mktemp("schemathesis"))
    made = ControlPlane(Keystead(str(BUILD / "src/cli/keystead")), work, "--requests-per-second", "0", "--allow-swap")
    try:
        made.node = Joined(made, work, "us-west-2").id
        made.cluster = made.made("POST", "/v1/clusters", "admin", {"name": "orders", "regions": [{"name": "us-west-2"}]})["id"]
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize("who", ["admin", "platform"])
def test_schemathesis__finds_nothing(plane, who, tmp_path):
    program = peer_dir("schemathesis") / "bin/schemathesis"
    operation = plane.get(f"/v1/operations?cluster={plane.cluster}", "admin").json["items"][0]["id"]
    known = {"cluster": plane.cluster, "region": "us-west-2", "organisation": plane.organisation, "operation": operation}
    config = tmp_path / "schemathesis.toml"
    config.write_text("[parameters]\n" + "".join(f'"path.{name}" = "{value}"\n' for name, value in known.items()) + '"query.wait" = 1\n' +
                      f"[headers]\nAuthorization = \"Bearer {plane.keys[who]}\"\n")
    os.chmod(config, 0o600)
    done = subprocess.run(
        [program, "--config-file", config, "run", f"http://127.0.0.1:{plane.port}/v1/openapi.json", "--phases", "examples,coverage,fuzzing",
         "--max-examples", "10", "--seed", "1", "--request-timeout", "30", "--continue-on-failure", "--checks", CHECKS, "--warnings", "off"],
        capture_output=True, text=True, timeout=500, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) generated, \d+ passed", done.stdout)[1]) > 1000
    assert plane.get("/v1/health").status == 200
