# SPDX-License-Identifier: Apache-2.0
"""Goal of this test: what `keystead key grants` prints can be pasted: templates pass the providers' own checkers, are
deployed in an emulator, and the key that they make can be used as the role that they make."""
import json
import subprocess

import pytest
from conftest import peer_dir

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
AWS = (f"aws_kms:{KEY}", "--auth-principal", "arn:aws:iam::123456789012:role/keys",
       "--trusted", "arn:aws:iam::444455556666:role/db", "--organisation", "acme")
ENV = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1",
       "AWS_REGION": "eu-west-1"}


@pytest.mark.parametrize("form", ["policy", "trust"])
def test_aws_policies__parse(keystead, form):
    policy = json.loads(keystead("key", "grants", *AWS, "--as", form).stdout)
    assert policy["Version"] == "2012-10-17"
    assert all(s["Effect"] == "Allow" for s in policy["Statement"])


def test_cloudformation__cfn_lint__has_nothing_to_say(keystead, tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text(keystead("key", "grants", *AWS, "--as", "cloudformation").stdout)
    done = subprocess.run([peer_dir("python") / "bin/cfn-lint", "--region", "eu-west-1", "--", template],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def deploy(moto, template, parameters):
    boto3 = pytest.importorskip("boto3")
    client = boto3.Session("test", "test", region_name="eu-west-1").client("cloudformation", endpoint_url=moto)
    name = f"keystead-{len(client.list_stacks()['StackSummaries'])}"
    client.create_stack(StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"],
                        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()])
    stack = client.describe_stacks(StackName=name)["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}


def test_cloudformation__deployed_without_keys__makes_a_key_that_the_role_can_use(keystead, moto):
    outputs = deploy(moto, keystead("key", "grants", *AWS, "--as", "cloudformation").stdout, {"RoleName": "made"})
    assert outputs["RoleArn"].endswith(":role/made")
    done = keystead("key", "check", f"aws_kms:{outputs['KeyArn']}", "--auth-principal", outputs["RoleArn"],
                    "--organisation", "acme", "-o", "json", env={**ENV, "AWS_ENDPOINT_URL": moto})
    report = json.loads(done.stdout)
    assert report["ok"]
    assert {r["name"]: r["right"] for r in report["rights"]}["kms:Decrypt"] == "granted"


def test_cloudformation__deployed_with_keys__makes_the_role_only(keystead, moto):
    outputs = deploy(moto, keystead("key", "grants", *AWS, "--as", "cloudformation").stdout,
                     {"RoleName": "only", "KeyArns": KEY})
    assert outputs["KeyArn"] == KEY


def test_aws_commands__run_by_the_stock_client__make_the_role(keystead, moto, tmp_path):
    aws = peer_dir("python") / "bin/aws"
    env = {**ENV, "AWS_ENDPOINT_URL": moto, "HOME": str(tmp_path), "PATH": f"{aws.parent}:/usr/bin:/bin"}
    made = json.loads(subprocess.check_output([aws, "kms", "create-key"], env=env))["KeyMetadata"]["Arn"]
    args = (f"aws_kms:{made}", *AWS[1:])
    script = keystead("key", "grants", *args).stdout.split("# 4.")[0]
    subprocess.run(["sh", "-eu", "-c", script], env=env, check=True, capture_output=True, timeout=120)
    role = json.loads(subprocess.check_output([aws, "iam", "get-role", "--role-name", "keys"], env=env))["Role"]
    condition = role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
    assert condition == {"StringEquals": {"sts:ExternalId": "acme"}}


def test_key_check__key_that_is_not_there__says_so_and_what_to_do(keystead, moto):
    done = keystead("key", "check", f"aws_kms:{KEY}", "-o", "json", check=False, env={**ENV, "AWS_ENDPOINT_URL": moto})
    assert done.returncode == 3, done.stdout + done.stderr
    rights = {r["name"]: r for r in json.loads(done.stdout)["rights"]}
    assert rights["kms:DescribeKey"]["code"] == "KEY_NOT_FOUND"
    assert rights["kms:DescribeKey"]["mend"].startswith("compare the ARN with")


@pytest.mark.parametrize("spec", [
    AWS,
    ("gcp_cloud_kms:projects/p/locations/l/keyRings/r/cryptoKeys/k", "--auth-principal", "a@p.iam", "--trusted", "b@p.iam"),
    ("azure_key_vault:https://v.vault.azure.net/keys/k", "--auth-principal", "id")])
def test_terraform__parses(keystead, spec):
    hcl2 = pytest.importorskip("hcl2")
    assert "resource" in hcl2.loads(keystead("key", "grants", *spec, "--as", "terraform").stdout)


def test_vault_policy__is_taken_by_the_server(keystead, openbao):
    url, token = openbao
    policy = keystead("key", "grants", f"vault_transit:{url}/v1/transit/keys/orders", "--as", "policy").stdout
    bao = [peer_dir("python") / "bin/bao"]
    env = {"BAO_ADDR": url, "BAO_TOKEN": token, "PATH": "/usr/bin:/bin"}
    subprocess.run([*bao, "policy", "write", "orders", "-"], input=policy, text=True, env=env, check=True,
                   capture_output=True)
    read = subprocess.check_output([*bao, "policy", "read", "orders"], text=True, env=env)
    assert 'path "transit/decrypt/orders"' in read


@pytest.mark.parametrize("kind", ["gcp_cloud_kms:projects/p/locations/l/keyRings/r/cryptoKeys/k",
                                  "azure_key_vault:https://v.vault.azure.net/keys/k",
                                  "vault_transit:https://h:8200/v1/transit/keys/k"])
def test_commands__are_shell(keystead, kind):
    script = keystead("key", "grants", kind, "--auth-principal", "p@x", "--trusted", "t@x").stdout
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
