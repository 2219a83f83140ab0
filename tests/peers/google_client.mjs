// SPDX-License-Identifier: Apache-2.0
// Journeys of Google's JavaScript client over REST, at ENDPOINT. The credentials come from GOOGLE_APPLICATION_CREDENTIALS,
// as in any program that uses it. Run by test_npm_clients.py with node's own test runner.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { KeyManagementServiceClient } from "@google-cloud/kms";

const endpoint = new URL(process.env.ENDPOINT);
const kms = new KeyManagementServiceClient({
  fallback: true, protocol: endpoint.protocol.slice(0, -1), apiEndpoint: endpoint.hostname, port: Number(endpoint.port),
});
const location = "projects/customer/locations/europe-west1";
const plaintext = Buffer.from("key of a store");
const additionalAuthenticatedData = Buffer.from("tenant 7");

// CRC-32C, bit by bit.
const crc32c = (bytes) => {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return { value: ~crc >>> 0 };
};
const sum = (checksum) => Number(checksum.value);

// Over REST the client gives the HTTP status as the code, and the service's answer as the message.
const isRefused = (promise, status) => assert.rejects(promise, (error) => {
  assert.equal(JSON.parse(error.message).error.status, status);
  return true;
});

const newKey = async (ring = `r-${randomUUID()}`) => {
  const [{ name: parent }] = await kms.createKeyRing({ parent: location, keyRingId: ring });
  assert.equal(parent, `${location}/keyRings/${ring}`);
  const [key] = await kms.createCryptoKey({ parent, cryptoKeyId: "k", cryptoKey: { purpose: "ENCRYPT_DECRYPT" } });
  return key;
};
const seal = async (name, more = {}) => (await kms.encrypt({
  name, plaintext, plaintextCrc32c: crc32c(plaintext), additionalAuthenticatedData,
  additionalAuthenticatedDataCrc32c: crc32c(additionalAuthenticatedData), ...more }))[0];
const open = async (name, ciphertext, more = {}) => (await kms.decrypt({
  name, ciphertext, ciphertextCrc32c: crc32c(ciphertext), additionalAuthenticatedData, ...more }))[0];
const setState = async (name, state) => (await kms.updateCryptoKeyVersion({
  cryptoKeyVersion: { name, state }, updateMask: { paths: ["state"] } }))[0].state;

test("checksums", async () => {
  assert.equal(crc32c(Buffer.from("123456789")).value, 0xe3069283);
  const { name } = await newKey();
  const sealed = await seal(name);
  assert.ok(sealed.verifiedPlaintextCrc32c && sealed.verifiedAdditionalAuthenticatedDataCrc32c);
  assert.equal(sum(sealed.ciphertextCrc32c), crc32c(sealed.ciphertext).value);
  const opened = await open(name, sealed.ciphertext);
  assert.deepEqual(Buffer.from(opened.plaintext), plaintext);
  assert.equal(sum(opened.plaintextCrc32c), crc32c(plaintext).value);
  await isRefused(seal(name, { plaintextCrc32c: { value: 1 } }), "INVALID_ARGUMENT");
  await isRefused(open(name, sealed.ciphertext, { ciphertextCrc32c: { value: 1 } }), "INVALID_ARGUMENT");
  const other = Buffer.from("tenant 8");
  await isRefused(open(name, sealed.ciphertext, { additionalAuthenticatedData: other }), "INVALID_ARGUMENT");
});

test("states", async () => {
  const key = await newKey();
  const version = key.primary.name;
  assert.equal(key.primary.state, "ENABLED");
  const { ciphertext } = await seal(key.name);
  assert.equal(await setState(version, "DISABLED"), "DISABLED");
  await isRefused(open(key.name, ciphertext), "FAILED_PRECONDITION");
  await isRefused(seal(key.name), "FAILED_PRECONDITION");
  assert.equal(await setState(version, "ENABLED"), "ENABLED");
  assert.deepEqual(Buffer.from((await open(key.name, ciphertext)).plaintext), plaintext);
  assert.equal((await kms.destroyCryptoKeyVersion({ name: version }))[0].state, "DESTROY_SCHEDULED");
  await isRefused(open(key.name, ciphertext), "FAILED_PRECONDITION");
  assert.equal((await kms.restoreCryptoKeyVersion({ name: version }))[0].state, "DISABLED");
});

test("lists", async () => {
  const ring = `lists-${randomUUID()}`;
  const { name } = await newKey(ring);
  await kms.createCryptoKeyVersion({ parent: name, cryptoKeyVersion: {} });
  await kms.createCryptoKeyVersion({ parent: name, cryptoKeyVersion: {} });
  const listed = [];
  for await (const version of kms.listCryptoKeyVersionsAsync({ parent: name, pageSize: 1 })) listed.push(version.name);
  assert.deepEqual(listed, [1, 2, 3].map((n) => `${name}/cryptoKeyVersions/${n}`));
  const [rings] = await kms.listKeyRings({ parent: location });
  assert.ok(rings.some((one) => one.name === `${location}/keyRings/${ring}`));
  await isRefused(newKey(ring), "ALREADY_EXISTS");
  await isRefused(kms.getCryptoKey({ name: `${name}x` }), "NOT_FOUND");
});
