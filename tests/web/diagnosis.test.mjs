import assert from "node:assert/strict";
import { test } from "node:test";
import { bestWay, diagnose, isWithin, median } from "../../web/diagnosis.js";
import { attemptOf, single } from "../../web/gather.js";
import { report } from "../../web/report.js";

const NOW = Date.UTC(2026, 10, 24);
const DAY = 86_400_000;
const HOST = "call.example.com";
const relay = { type: "relay", protocol: "udp", address: "51.15.7.1", port: 50_000, priority: 41_819_902, ms: 12 };
const mapped = { ...relay, type: "srflx", address: "51.15.8.1" };

/** An attempt that came to an end. */
function tried(url, candidates, errors = []) {
  return { ...attemptOf(url), candidates, errors, done: true, ms: 9_500, ok: candidates.some(({ type }) => type !== "host") };
}
const silent = (url) => tried(url, [], [{ url, code: 701, text: "timed out" }]);

const STUN = `stun:${HOST}:3478`;
const UDP = `turn:${HOST}:3478?transport=udp`;
const TCP = `turn:${HOST}:443?transport=tcp`;
const TLS = `turns:${HOST}:443?transport=tcp`;
const through = { bitrate: 840_000, offered: 850_000, roundTrip: 21 };
const arrives = { relayed: relay.address, connected: true, elsewhere: false, from: "" };

/** All is well but for this. */
const findings = (more = {}) => ({
  now: NOW, host: HOST, secure: true, webrtc: true, certificate: { trusted: true, ends: NOW + 30 * DAY }, own: mapped.address,
  socket: { roundTrip: 18, problem: "" }, limit: 1_000_000, used: "udp", carried: through, inward: arrives,
  attempts: [tried(STUN, [mapped]), tried(UDP, [relay]), tried(TCP, [relay]), tried(TLS, [relay])], ...more,
});
const row = (found, name) => found.rows.find((row) => row.name.startsWith(name));
const verdict = (more) => {
  const { level, sentence } = diagnose(findings(more));
  return `${level}: ${sentence}`;
};

test("where everything works, it says so, and how calls go", () => {
  const found = diagnose(findings());
  assert.equal(`${found.level}: ${found.sentence}`, "good: Calls will work. From here they go directly, or over UDP on port 3478.");
  assert.deepEqual(found.rows.map(({ status }) => status), Array(9).fill("ok"));
  assert.equal(row(found, "Call through").found, "0.84 Mbit/s over UDP, which is as much as a check may send; round trip 21 ms.");
});

test("there is no verdict before everything was looked at", () => {
  for (const key of ["certificate", "socket", "attempts", "inward", "carried"]) {
    const { level, rows } = diagnose(findings({ [key]: undefined }));
    assert.equal(level, "running", key);
    assert.equal(rows.filter(({ status }) => status === "running").length, 1, key);
  }
  const waiting = { ...attemptOf(TLS), candidates: [], errors: [] };
  assert.equal(diagnose(findings({ attempts: [tried(UDP, [relay]), waiting] })).level, "running");
});

test("blocked UDP leaves TCP or TLS", () => {
  const blocked = { inward: { ...arrives, connected: false }, used: "tcp" };
  const found = diagnose(findings({ ...blocked, attempts: [silent(STUN), silent(UDP), tried(TCP, [relay]), tried(TLS, [relay])] }));
  assert.equal(found.sentence, "Calls will work. From here they go over TCP on port 443.");
  assert.equal(found.level, "good");
  assert.match(row(found, "Relay over UDP").found, /^UDP is blocked/);
  assert.deepEqual([row(found, "STUN").status, row(found, "From outside").status], ["warning", "skipped"]);
  assert.equal(
    verdict({ ...blocked, used: "tls", attempts: [silent(STUN), silent(UDP), silent(TCP), tried(TLS, [relay])] }),
    "good: Calls will work. From here they go over TLS on port 443.",
  );
});

test("a closed port is told from blocked UDP by other UDP that gets through", () => {
  const found = diagnose(findings({ used: "tcp", attempts: [silent(STUN), silent(UDP), tried(TCP, [relay])] }));
  assert.equal(found.sentence, "Calls will work. From here they go over TCP on port 443, since UDP port 3478 of the server is closed.");
  assert.equal(found.level, "poor");
  assert.match(row(found, "Relay over UDP").remedy, /Open UDP port 3478/);
});

test("without the relay only direct calls work", () => {
  const nothing = { used: null, carried: null, inward: null };
  const attempts = [tried(STUN, [mapped]), silent(UDP), silent(TCP)];
  assert.equal(verdict({ ...nothing, attempts }), "poor: Only direct calls will work: nothing of the relay can be reached from here.");
  assert.equal(row(diagnose(findings({ ...nothing, attempts })), "Relay over TCP").status, "failed");
  assert.equal(verdict({ ...nothing, attempts: [] }), "poor: Only direct calls will work: this server has no relay.");
  assert.equal(verdict({ carried: null }), "bad: Only direct calls will work: nothing comes through the relay.");
});

test("a wrong public_ip shows in where packets come from, or in that they do not come", () => {
  for (const inward of [{ ...arrives, elsewhere: true }, { ...arrives, connected: false }]) {
    const found = diagnose(findings({ inward }));
    assert.equal(found.level, "bad");
    assert.match(found.sentence, /packets do not come back from the relay\. The server's public_ip is likely wrong\.$/);
    assert.match(row(found, "From outside").remedy, /^Set `public_ip`/);
  }
  const right = diagnose(findings({ host: relay.address, inward: { ...arrives, connected: false } }));
  assert.equal(right.sentence, "Some calls will fail: UDP to the relay's own ports does not get through.");
  assert.match(row(right, "From outside").remedy, /^The server's firewall and this network/);
  const named = diagnose(findings({ inward: { ...arrives, elsewhere: true, from: "51.15.7.9" } }));
  assert.match(row(named, "From outside").found, /it is 51\.15\.7\.1, but its packets come from 51\.15\.7\.9/);
});

test("an expired certificate, and one that is merely not trusted", () => {
  const attempts = [tried(STUN, [mapped]), tried(UDP, [relay]), tried(TCP, [relay]), silent(TLS)];
  const expired = diagnose(findings({ attempts, certificate: { trusted: true, ends: NOW - DAY } }));
  assert.equal(expired.sentence, "Calls will work. From here they go directly, or over UDP on port 3478.");
  assert.match(row(expired, "Certificate").found, /^It has expired on 2026-11-23\./);
  assert.deepEqual([row(expired, "Relay over TLS").status, row(expired, "Relay over TLS").found], ["warning", "The browser does not accept the certificate."]);
  const refused = diagnose(findings({ attempts }));
  assert.equal(row(refused, "Certificate").status, "failed");
  const own = diagnose(findings({ attempts: attempts.slice(0, 3), certificate: { trusted: false, ends: NOW + DAY } }));
  assert.deepEqual([row(own, "Certificate").status, row(own, "Relay over TLS").status], ["warning", "skipped"]);
  assert.match(row(own, "Certificate").remedy, /acme/);
  const local = diagnose(findings({ attempts: attempts.slice(0, 3), certificate: { trusted: false, local: true, ends: NOW + DAY } }));
  assert.match(row(local, "Certificate").remedy, /\/ca/);
});

test("what keeps every call from working comes first", () => {
  const unreached = { socket: { roundTrip: null, problem: "closed with code 1006" } };
  assert.equal(verdict(unreached), "bad: Calls will not work: the WebSocket to the server fails.");
  assert.match(row(diagnose(findings(unreached)), "WebSocket").remedy, /proxy/);
  assert.match(row(diagnose(findings({ ...unreached, certificate: { trusted: false, ends: NOW + DAY } })), "WebSocket").remedy, /iPhone/);
  assert.match(verdict({ secure: false }), /^bad: .*not secure/);
  assert.match(verdict({ webrtc: false }), /^bad: .*no WebRTC/);
  const { level, rows } = diagnose({ now: NOW, host: HOST, secure: true, webrtc: true, failure: "TypeError", socket: { roundTrip: 1, problem: "" } });
  assert.equal(level, "bad");
  assert.deepEqual(rows.slice(3).map(({ status }) => status), ["failed", "skipped", "skipped"]);
});

test("a slow way is told from the limit of a check", () => {
  const slow = row(diagnose(findings({ carried: { bitrate: 300_000, offered: 850_000, roundTrip: 400 } })), "Call through");
  assert.deepEqual([slow.status, slow.found], ["warning", "0.30 Mbit/s over UDP of 0.85 Mbit/s that were sent; round trip 400 ms."]);
});

test("STUN that tells nothing new has answered, if it was soon over", () => {
  const quick = { ...tried(STUN, [{ ...relay, type: "host", address: "name.local" }]), ms: 80 };
  assert.equal(row(diagnose(findings({ attempts: [quick, tried(UDP, [relay])] })), "STUN").status, "ok");
  assert.equal(row(diagnose(findings({ attempts: [{ ...quick, ms: 9_500 }, tried(UDP, [relay])] })), "STUN").status, "warning");
});

test("URLs are tried one by one, UDP before TCP before TLS", () => {
  const login = { username: "u", credential: "p" };
  assert.deepEqual(single([{ urls: [STUN] }, { urls: [UDP, TCP], ...login }, { urls: TLS }]).map(({ urls, username }) => [urls, username]), [
    [STUN, undefined], [UDP, "u"], [TCP, "u"], [TLS, undefined],
  ]);
  const ways = [STUN, UDP, TCP, TLS, "turn:[fd00::5]:8443?transport=tcp", "turns:example.com"].map(attemptOf);
  assert.deepEqual(ways.map(({ way, port }) => `${way} ${port}`), ["stun 3478", "udp 3478", "tcp 443", "tls 443", "tcp 8443", "tls 5349"]);
  assert.equal(bestWay([tried(TLS, [relay]), tried(TCP, [relay]), silent(UDP)]).url, TCP);
  assert.equal(bestWay([tried(STUN, [mapped])]), undefined);
});

test("a device in the server's own network sees nothing from outside", () => {
  assert.ok(isWithin("192.168.1.7", "51.15.7.1") && isWithin("127.0.0.1", "127.0.0.1") && isWithin("fd00::7", "2a01::1") && isWithin("", "51.15.7.1"));
  assert.ok(!isWithin("192.168.1.7", "192.168.1.5") && !isWithin("51.15.8.1", "51.15.7.1") && !isWithin("172.32.0.1", "51.15.7.1"));
});

test("the median, of none too", () => {
  assert.deepEqual([median([9, 1, 5]), median([]), median([3])], [5, null, 3]);
});

test("the report says all of it in plain text", () => {
  const { attempts } = findings({ attempts: [tried(STUN, [mapped]), silent(UDP), tried(TCP, [])] });
  const text = report(diagnose(findings({ attempts, used: null, carried: null, inward: null })), attempts, {
    url: `https://${HOST}/check`, time: "2026-11-24T20:00:00.000Z", browser: "Browser/1", version: "1.2.3",
  });
  for (const part of [
    `callbox 1.2.3, https://${HOST}/check, 2026-11-24T20:00:00.000Z\nBrowser/1\n\nOnly direct calls will work: `,
    "failed   Relay over UDP, port 3478", "-> Let UDP to port 3478 of the server pass.",
    `\n${STUN}\n  srflx udp 51.15.8.1 port 50000, priority 41819902, after 12 ms\n`,
    `\n  error 701 timed out (${UDP})\n`, `${TCP}\n  without success after 9.5 s`,
  ]) assert.ok(text.includes(part), `${part}\n---\n${text}`);
});
