#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| callbox_turn::fuzzing::framing(bytes));
