// STUN messages (RFC 8489) as far as asking for an allocation (RFC 8656) takes. Pure, but for the transaction's id.

import { createHash, createHmac, randomBytes } from "node:crypto";

export const ALLOCATE = 0x0003;
export const REFRESH = 0x0004;
export const BINDING = 0x0001;

const COOKIE = 0x2112a442;
const USERNAME = 0x0006;
const INTEGRITY = 0x0008;
const ERROR = 0x0009;
const LIFETIME = 0x000d;
const REALM = 0x0014;
const NONCE = 0x0015;
const TRANSPORT = 0x0019;
const UDP = Buffer.from([17, 0, 0, 0]);
const HEADER = 20;
const DIGEST = 20;

/** @typedef {{ username: string, credential: string }} Login */
/** @typedef {{ realm: string, nonce: string }} Challenge */

/**
 * A request, signed if there are a login and what the server has asked for.
 * @param {number} method
 * @param {{ login?: Login, challenge?: Challenge, lifetime?: number }} [options]
 */
export function request(method, { login, challenge, lifetime } = {}) {
  const parts = [];
  if (method === ALLOCATE) parts.push(attribute(TRANSPORT, UDP));
  if (lifetime !== undefined) {
    const seconds = Buffer.alloc(4);
    seconds.writeUInt32BE(lifetime);
    parts.push(attribute(LIFETIME, seconds));
  }
  const signed = login && challenge;
  if (signed) {
    parts.push(attribute(USERNAME, Buffer.from(login.username)));
    parts.push(attribute(REALM, Buffer.from(challenge.realm)), attribute(NONCE, Buffer.from(challenge.nonce)));
  }
  const body = Buffer.concat(parts);
  const message = Buffer.concat([header(method, body.length + (signed ? 4 + DIGEST : 0)), body]);
  if (!signed) return message;
  const key = createHash("md5").update(`${login.username}:${challenge.realm}:${login.credential}`).digest();
  return Buffer.concat([message, attribute(INTEGRITY, createHmac("sha1", key).update(message).digest())]);
}

/**
 * @param {Buffer} message
 * @returns {{ success: boolean, code: number, challenge: Challenge } | null} null: it is no answer
 */
export function answer(message) {
  if (message.length < HEADER || message.readUInt32BE(4) !== COOKIE) return null;
  const type = message.readUInt16BE(0) & 0x0110;
  if (type !== 0x0100 && type !== 0x0110) return null;
  const found = { success: type === 0x0100, code: 0, challenge: { realm: "", nonce: "" } };
  for (let at = HEADER; at + 4 <= message.length; ) {
    const [kind, length] = [message.readUInt16BE(at), message.readUInt16BE(at + 2)];
    const value = message.subarray(at + 4, at + 4 + length);
    if (kind === REALM) found.challenge.realm = value.toString();
    if (kind === NONCE) found.challenge.nonce = value.toString();
    if (kind === ERROR && length >= 4) found.code = value[2] * 100 + value[3];
    at += 4 + length + padding(length);
  }
  return found;
}

/**
 * @param {number} method
 * @param {number} length
 */
function header(method, length) {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(method, 0);
  header.writeUInt16BE(length, 2);
  header.writeUInt32BE(COOKIE, 4);
  return Buffer.concat([header, randomBytes(12)]);
}

/**
 * @param {number} kind
 * @param {Buffer} value
 */
function attribute(kind, value) {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(kind, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc(padding(value.length))]);
}

/** @param {number} length */
const padding = (length) => (4 - (length % 4)) % 4;
