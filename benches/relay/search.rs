//! The most packets per second with less than 1 % loss.

use std::time::{Duration, Instant};

use crate::load::{Load, Spell, Tally};

/// What the clients together send per second when the search begins.
const FIRST: f64 = 40_000.0;
/// How far the next rate is above the best so far: at first, after a success, after a failure. No failure is a ceiling,
/// since another program may have caused it: steps grow again with successes, and those that became too small to matter
/// begin anew.
const FIRST_STEP: f64 = 0.4;
const AFTER_SUCCESS: f64 = 1.5;
const AFTER_FAILURE: f64 = 0.4;
const LAST_STEP: f64 = 0.006;
const NEW_STEP: f64 = 0.2;
const ALLOWED_LOSS: f64 = 0.01;
/// A try in which the generator reached less than this of its rate says nothing; where this many in a row do not, the
/// generator cannot do more.
const REACHED: f64 = 0.985;
const VOID_TRIES: usize = 3;

/// One try. What still waits in the server's queue 10 ms after the window counts as lost, so that deep queues do not pass
/// for speed.
const TRY: Spell = Spell {
    rate: FIRST,
    warm_up: Duration::from_millis(100),
    window: Duration::from_millis(250),
    grace: Duration::from_millis(10),
};

pub(crate) struct Most<R> {
    pub best: Option<Tally<R>>,
    /// The generator could not send faster: the server may be able to.
    pub generator_bound: bool,
}

pub(crate) fn most<R>(load: &mut Load, time: Duration, mut probe: impl FnMut() -> R) -> Most<R> {
    let deadline = Instant::now() + time;
    let mut best: Option<Tally<R>> = None;
    let mut base = FIRST / (1.0 + FIRST_STEP);
    let mut step = FIRST_STEP;
    let mut void = 0;
    let mut generator_bound = false;
    while Instant::now() < deadline {
        let rate = base * (1.0 + step);
        let tally = load.run(&Spell { rate, ..TRY }, &mut probe);
        let reached = tally.sent_per_second() >= rate * REACHED;
        if !reached && void < VOID_TRIES {
            void += 1;
            continue;
        }
        void = 0;
        generator_bound = !reached;
        if reached && tally.loss() < ALLOWED_LOSS {
            base = rate;
            step *= AFTER_SUCCESS;
            best = Some(tally);
        } else {
            // Below the first rate there is no base: go down until there is one.
            if best.is_none() {
                base *= 1.0 - step;
            }
            step *= AFTER_FAILURE;
            if step < LAST_STEP {
                step = NEW_STEP;
            }
        }
    }
    Most {
        best,
        generator_bound,
    }
}
