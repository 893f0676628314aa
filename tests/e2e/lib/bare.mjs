// A server of the bare page, which the real one is measured against.

import path from "node:path";
import { Server } from "./server.mjs";

const ROOT = path.resolve(import.meta.dirname, "../bare");

/** @param {Record<string, string>} [env] */
export function bareServer(env = {}) {
  return Server.start({ env: { ...env, CALLBOX__WEB__ROOT: ROOT } });
}
