import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTHING, isShaky, isSteady, isTrouble, judge, sentence } from "../../web/verdict.js";

const flow = { bitrate: 1, loss: 0, jitter: 5, camera: null, screen: null, codecs: [] };
/** A sample that is good but for this. */
const sample = ({ loss = 0, sentLoss = 0, jitter = 5, ...more } = {}) => ({
  route: "direct", roundTrip: 20, available: 2_000_000, limited: "none", freezes: 0, counters: new Map(), reportedAt: null,
  received: { ...flow, loss, jitter }, sent: { ...flow, loss: sentLoss }, ...more,
});

/** A call, told sample by sample. */
class Story {
  judgement = NOTHING;
  #samples = new Map();

  /** @param {Record<string, object>} peers  what the next sample of each is like, and `trouble` and `connected` */
  next(peers, { shaky = false, steady = false, times = 1 } = {}) {
    for (let time = 0; time < times; time += 1) {
      const judged = Object.entries(peers).map(([id, { trouble = false, connected = true, ...like }]) => {
        const samples = [...(this.#samples.get(id) ?? []), sample(like)];
        this.#samples.set(id, samples);
        return [id, { samples, trouble, connected }];
      });
      this.judgement = judge(this.judgement, { peers: new Map(judged), shaky, steady });
    }
    return Object.fromEntries([...this.judgement.verdicts].map(([id, { level, fault }]) => [id, fault ? `${level} ${fault}` : level]));
  }
}

const lossy = { loss: 0.2 };

test("a single bad sample is no bad connection, two are", () => {
  const story = new Story();
  assert.deepEqual(story.next({ bo: {} }, { times: 5 }), { bo: "good" });
  assert.deepEqual(story.next({ bo: lossy }), { bo: "good" });
  assert.deepEqual(story.next({ bo: {} }, { times: 2 }), { bo: "good" });
  assert.deepEqual(story.next({ bo: lossy }, { times: 2 }), { bo: "bad" });
});

test("it is good again after three good samples, and a middling one is not good enough", () => {
  const story = new Story();
  story.next({ bo: lossy }, { times: 3 });
  assert.deepEqual(story.next({ bo: {} }, { times: 2 }), { bo: "bad" });
  assert.deepEqual(story.next({ bo: {} }), { bo: "good" });
  assert.deepEqual(story.next({ bo: { loss: 0.04 } }, { times: 3 }), { bo: "poor" });
  assert.match(story.next({ bo: { loss: 0.025 } }, { times: 5 }).bo, /^poor/, "below the limit, but not clearly");
  assert.deepEqual(story.next({ bo: { loss: 0.01 } }, { times: 3 }), { bo: "good" });
});

test("lost packets either way, a long round trip and jitter count, what is not known does not", () => {
  for (const like of [{ sentLoss: 0.15 }, { roundTrip: 1_200 }, { jitter: 300 }]) {
    assert.deepEqual(new Story().next({ bo: like }, { times: 2 }), { bo: "bad" }, JSON.stringify(like));
  }
  for (const like of [{ sentLoss: 0.05 }, { roundTrip: 500 }, { jitter: 100 }, { limited: "bandwidth", available: 60_000 }]) {
    assert.deepEqual(new Story().next({ bo: like }, { times: 2 }), { bo: "poor" }, JSON.stringify(like));
  }
  const unknown = { loss: null, sentLoss: null, jitter: null, roundTrip: null, available: null, limited: null };
  assert.deepEqual(new Story().next({ bo: unknown }, { times: 5 }), { bo: "good" });
});

test("a connection that is gone is bad at once", () => {
  assert.deepEqual(new Story().next({ bo: { connected: false } }), { bo: "bad" });
});

test("with a shaky link to the server it is mine, as long as it lasts", () => {
  const story = new Story();
  assert.deepEqual(story.next({ bo: {}, cy: {} }, { shaky: true, times: 5 }), { bo: "good", cy: "good" }, "nobody is bothered by it");
  assert.equal(isTrouble(story.judgement), false);
  assert.deepEqual(story.next({ bo: lossy, cy: {} }, { shaky: true, times: 2 }), { bo: "bad mine", cy: "good" });
  assert.equal(isTrouble(story.judgement), true);
  assert.deepEqual(story.next({ bo: lossy, cy: {} }, { times: 9 }), { bo: "bad mine", cy: "good" }, "by chance all answers came in time");
  assert.deepEqual(story.next({ bo: {}, cy: {} }, { times: 3 }), { bo: "good", cy: "good" });
  assert.equal(isTrouble(story.judgement), false);
  assert.match(story.next({ bo: lossy, cy: {} }, { times: 9 }).bo, /path/, "another time is another matter");
});

test("it is not mine any more once the link to the server is cleared, and the others take that over", () => {
  const [ana, bo] = [new Story(), new Story()];
  ana.next({ bo: lossy }, { shaky: true, times: 2 });
  bo.next({ ana: { ...lossy, trouble: true } }, { times: 8 });
  assert.deepEqual(ana.next({ bo: lossy }, { times: 6 }), { bo: "bad mine" });
  assert.deepEqual(ana.next({ bo: lossy }, { steady: true }), { bo: "bad path" });
  assert.equal(isTrouble(ana.judgement), false);
  assert.deepEqual(ana.next({ bo: lossy }, { times: 3 }), { bo: "bad path" });
  assert.deepEqual(bo.next({ ana: lossy }, { times: 4 }), { ana: "bad theirs" }, "they may be the first to recover");
  assert.deepEqual(bo.next({ ana: lossy }), { ana: "bad path" });
});

test("it is theirs when they say so, also when they say so late", () => {
  const story = new Story();
  assert.deepEqual(story.next({ bo: lossy }, { times: 9 }), { bo: "bad path" });
  assert.deepEqual(story.next({ bo: { ...lossy, trouble: true } }), { bo: "bad theirs" });
  assert.deepEqual(story.next({ bo: lossy }), { bo: "bad theirs" }, "they recover first");
  assert.deepEqual(story.next({ bo: lossy }, { shaky: true }), { bo: "bad theirs" }, "what is explained stays so");
  assert.equal(isTrouble(story.judgement), false);
  assert.deepEqual(story.next({ bo: lossy, cy: lossy }, { shaky: true, times: 2 }), { bo: "bad theirs", cy: "bad mine" });
});

test("nobody is blamed before the other side could say that it is its fault", () => {
  const story = new Story();
  assert.deepEqual(story.next({ bo: lossy }, { times: 4 }), { bo: "bad" });
  assert.deepEqual(story.next({ bo: lossy }, { times: 4 }), { bo: "bad path" });
});

test("two bad ones at once are mine", () => {
  const story = new Story();
  assert.deepEqual(story.next({ bo: lossy, cy: lossy, dee: {} }, { times: 9 }), { bo: "bad mine", cy: "bad mine", dee: "good" });
});

test("two bad ones are not mine where as many are good", () => {
  const story = new Story();
  const all = story.next({ bo: lossy, cy: lossy, dee: {}, eve: {}, finn: {} }, { times: 9 });
  assert.deepEqual(all, { bo: "bad path", cy: "bad path", dee: "good", eve: "good", finn: "good" });
});

test("two bad ones are not mine where one of them, or each, says that it is its own", () => {
  const [bo, cy] = [{ ...lossy, trouble: true }, lossy];
  assert.deepEqual(new Story().next({ bo, cy }, { times: 9 }), { bo: "bad theirs", cy: "bad path" });
  const story = new Story();
  story.next({ bo: lossy, cy: lossy }, { times: 9 });
  assert.deepEqual(story.next({ bo, cy: bo }), { bo: "bad theirs", cy: "bad theirs" });
});

test("a link to the server is shaky when answers come late again and again, however far it is", () => {
  assert.equal(isShaky([]), false);
  assert.equal(isShaky([20, 22, 19, 25]), false);
  assert.equal(isShaky([600, 640, 610, 655]), false);
  assert.equal(isShaky([20, 230, 21, 22]), false, "once is chance");
  assert.equal(isShaky([20, 230, 21, 22, 450]), true);
  assert.equal(isShaky([230, 450, ...Array(8).fill(20)]), false, "it is over");
});

test("a link is cleared by many answers in time, and by nothing less", () => {
  assert.equal(isSteady([]), false);
  assert.equal(isSteady(Array(29).fill(20)), false);
  assert.equal(isSteady([...Array(9).fill(20), 450, ...Array(29).fill(20)]), false);
  assert.equal(isSteady([230, 450, ...Array(30).fill(20)]), true);
  assert.equal(isSteady(Array.from({ length: 40 }, (_, index) => 600 + 4 * index)), true, "far, and a little uneven");
});

test("a sentence says whose it is", () => {
  assert.equal(sentence({ level: "good", fault: null, samples: 0 }, "Bo"), "The connection is good.");
  assert.equal(sentence({ level: "bad", fault: "mine", samples: 3 }, "Bo"), "Your connection is bad.");
  assert.equal(sentence({ level: "bad", fault: "theirs", samples: 3 }, "Bo"), "Bo's connection is bad.");
  assert.equal(sentence({ level: "poor", fault: "path", samples: 3 }, "Bo"), "The connection between you and Bo is weak.");
  assert.equal(sentence({ level: "bad", fault: null, samples: 1 }, "Bo"), "The connection to Bo is bad.");
});
