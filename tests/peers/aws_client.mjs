// SPDX-License-Identifier: Apache-2.0
// Journeys of AWS's JavaScript client. Endpoint, region and credentials come from the environment, as in any program
// that uses it. Run by test_npm_clients.py with node's own test runner.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateKeyCommand, DecryptCommand, DescribeKeyCommand, DisableKeyCommand, EnableKeyCommand, EncryptCommand,
  GenerateDataKeyCommand, KMSClient, ScheduleKeyDeletionCommand, paginateListKeys,
} from "@aws-sdk/client-kms";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const settings = { maxAttempts: 1 };
const kms = new KMSClient(settings);
const plaintext = Buffer.from("key of a store");
const EncryptionContext = { tenant: "7", purpose: "test" };

const newKey = async () => (await kms.send(new CreateKeyCommand({ Description: "npm" }))).KeyMetadata.KeyId;
const seal = async (KeyId, client = kms) =>
  (await client.send(new EncryptCommand({ KeyId, Plaintext: plaintext, EncryptionContext }))).CiphertextBlob;
const open = async (CiphertextBlob, context = EncryptionContext, client = kms, more = {}) =>
  Buffer.from((await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: context, ...more }))).Plaintext);
const stateOf = async (KeyId) => (await kms.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata.KeyState;

test("context", async () => {
  const key = await newKey();
  const sealed = await seal(key);
  assert.deepEqual(await open(sealed, { purpose: "test", tenant: "7" }), plaintext);
  for (const wrong of [{}, { tenant: "7" }, { ...EncryptionContext, tenant: "8" }])
    await assert.rejects(open(sealed, wrong), { name: "InvalidCiphertextException" });
  await assert.rejects(open(sealed, EncryptionContext, kms, { KeyId: await newKey() }), { name: "IncorrectKeyException" });
  const made = await kms.send(new GenerateDataKeyCommand({ KeyId: key, KeySpec: "AES_256", EncryptionContext }));
  assert.equal(made.Plaintext.length, 32);
  assert.deepEqual(await open(made.CiphertextBlob), Buffer.from(made.Plaintext));
});

test("states", async () => {
  const KeyId = await newKey();
  const sealed = await seal(KeyId);
  await kms.send(new DisableKeyCommand({ KeyId }));
  await assert.rejects(open(sealed), { name: "DisabledException" });
  assert.equal(await stateOf(KeyId), "Disabled");
  await kms.send(new EnableKeyCommand({ KeyId }));
  assert.deepEqual(await open(sealed), plaintext);
  const { DeletionDate } = await kms.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
  const days = (DeletionDate - Date.now()) / 86400000;
  assert.ok(days > 6.9 && days < 7.1, `deletion in ${days} days`);
  await assert.rejects(open(sealed), { name: "KMSInvalidStateException" });
  assert.equal(await stateOf(KeyId), "PendingDeletion");
});

test("pages", async () => {
  const made = [];
  for (let n = 0; n < 5; n++) made.push(await newKey());
  const listed = [];
  for await (const page of paginateListKeys({ client: kms, pageSize: 2 }, {})) {
    assert.ok(page.Keys.length <= 2);
    listed.push(...page.Keys.map((key) => key.KeyId));
  }
  assert.equal(new Set(listed).size, listed.length);
  assert.deepEqual(made.filter((key) => !listed.includes(key)), []);
});

// The provider's side. ROLE, EXTERNAL_ID and KEY are what the customer told him; profiles are those of test_npm_clients.py.
test("role", async () => {
  const { ROLE: RoleArn, EXTERNAL_ID, KEY } = process.env;
  const sts = new STSClient({ ...settings, profile: "provider" });
  const assume = (ExternalId) => sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: "npm", ExternalId }));
  for (const wrong of [undefined, "org-other"]) await assert.rejects(assume(wrong), { name: "AccessDenied" });
  const { AccessKeyId, SecretAccessKey, SessionToken } = (await assume(EXTERNAL_ID)).Credentials;
  const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  const role = new KMSClient({ ...settings, credentials });
  assert.deepEqual(await open(await seal(KEY, role), EncryptionContext, role), plaintext);
  await assert.rejects(role.send(new DisableKeyCommand({ KeyId: KEY })), { name: "AccessDeniedException" });
  await assert.rejects(seal(KEY, new KMSClient({ ...settings, profile: "provider" })), { name: "AccessDeniedException" });
  const who = await new STSClient({ ...settings, credentials }).send(new GetCallerIdentityCommand({}));
  assert.match(who.Arn, /^arn:aws:sts::111122223333:assumed-role\/database\/npm$/);
});

// The same with nothing but a profile: the client assumes the role by itself.
test("profile", async () => {
  const role = new KMSClient({ ...settings, profile: "customer" });
  assert.deepEqual(await open(await seal(process.env.KEY, role), EncryptionContext, role), plaintext);
  const other = new KMSClient({ ...settings, profile: "other-organisation" });
  await assert.rejects(seal(process.env.KEY, other), { name: "AccessDenied" });
});
