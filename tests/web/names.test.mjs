import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { cleanName, inSentence, initials, isRoomName, personName, randomRoomName, roomOfPath, tidy } from "../../web/names.js";

test("room names follow the server's rule", () => {
  for (const name of ["a", "blue-otter", "team_1", "bücher", "会議室", "x".repeat(64)]) assert.ok(isRoomName(name), name);
  for (const name of ["", " ", "a b", "a/b", "a.b", "<b>", "😀", "x".repeat(65)]) assert.ok(!isRoomName(name), name);
});

test("what people type becomes a name", () => {
  assert.equal(tidy("  Blue   Otter "), "blue-otter");
  assert.equal(tidy("Bu\u0308cher"), "bücher");
});

test("an address names a room, a bad one, or none", () => {
  assert.equal(roomOfPath("/r/team"), "team");
  assert.equal(roomOfPath("/r/Team%20A/"), "team-a");
  assert.equal(roomOfPath("/r/b%C3%BCcher"), "bücher");
  for (const bad of ["/r/", "/r/a.b", "/r/%ff", "/r/%2F"]) assert.equal(roomOfPath(bad), null, bad);
  for (const other of ["/", "/check", "/r", "/r/a/b"]) assert.equal(roomOfPath(other), undefined, other);
});

test("random names are valid, new, and use every random byte fairly", () => {
  const name = randomRoomName();
  assert.match(name, /^[a-z2-9]{4}(-[a-z2-9]{4}){3}$/);
  assert.ok(isRoomName(name));
  assert.notEqual(randomRoomName(), name);
  // Bytes that would favour some letters are passed over.
  let calls = 0;
  const fill = (bytes) => bytes.fill(calls++ === 0 ? 255 : 0);
  assert.equal(randomRoomName(fill), "aaaa-aaaa-aaaa-aaaa");
  assert.equal(calls, 2);
});

test("initials", () => {
  assert.equal(initials("Ana"), "A");
  assert.equal(initials("ana maria de souza"), "AS");
  assert.equal(initials("  "), "?");
  assert.equal(initials("😀 x"), "😀X");
});

test("of a name remains what can be seen, as on the server", () => {
  const cases = JSON.parse(readFileSync(new URL("../names.json", import.meta.url), "utf8"));
  assert.ok(cases.length > 40);
  for (const [text, cleaned] of cases) {
    assert.equal(cleanName(text), cleaned, JSON.stringify(text));
    assert.equal(cleanName(cleaned), cleaned, `${JSON.stringify(text)} again`);
  }
  assert.equal(cleanName("A\ud800na"), "Ana");
});

test("who has no name is a guest, and people of the same look have numbers", () => {
  assert.equal(personName({ name: " \u202eAna\u2069 " }), "Ana");
  assert.equal(personName({ name: "\u202e" }), "Guest");
  assert.equal(personName({ name: "Ana", number: 2 }), "Ana (2)");
  assert.equal(personName({ name: "", number: 3 }), "Guest (3)");
  assert.equal(initials("Ana Lia (2)"), "AL");
});

test("a name turns no letters but its own around", () => {
  assert.equal(inSentence("Ana"), "Ana");
  assert.equal(inSentence("אנה"), "\u2068אנה\u2069");
  assert.equal(inSentence("Zoë (علي)"), "\u2068Zoë (علي)\u2069");
});
