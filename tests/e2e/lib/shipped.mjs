// Imported first, it makes the program under test the one that is shipped: what is measured, or held for hours, is a release build.

import path from "node:path";

process.env.CALLBOX ??= path.resolve(import.meta.dirname, "../../../target/release/callbox");
