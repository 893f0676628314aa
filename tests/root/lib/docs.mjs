// What the documentation tells people to type and to write into files.

import { readFileSync } from "node:fs";
import path from "node:path";

export const REPOSITORY = path.resolve(import.meta.dirname, "../../..");
export const DOCUMENTS = ["README.md", "docs/operating.md", "docs/security.md"];

/** Words that a command in a sentence begins with. */
const PROGRAMS = "apt-get|callbox|cargo|certbot|curl|getent|ip|journalctl|nft|nginx|promtool|scp|ssh|sudo|systemctl|tar|ufw";
/** A file's own name in a comment, as its first line. */
const NAMED = /^# (\/etc\/\S+)\n/;

/**
 * @typedef {object} Item  a command, or a block of something else
 * @property {string} where  for messages
 * @property {string} section  the heading of the second level above it, such as "README.md: On a VPS"
 * @property {string} language  "sh" for a command
 * @property {string} text
 * @property {string} [file]  whose contents the block is
 * @property {boolean} [done]
 */

/**
 * All that is in a document, in its order. A block without a language could hold a command that nobody runs.
 * @param {string} document
 * @returns {Item[]}
 */
export function read(document) {
  /** @type {Item[]} */
  const items = [];
  /** @type {{ language: string, lines: string[], indent: number, at: number } | null} */
  let block = null;
  let section = document;
  for (const [index, line] of readFileSync(path.join(REPOSITORY, document), "utf8").split("\n").entries()) {
    const add = (language, text, at = index) => items.push({ where: `${document}:${at + 1}`, section, language, text });
    const fence = /^( *)```(.*)$/.exec(line);
    if (fence && block) {
      close(block, add, items);
      block = null;
    } else if (fence) {
      if (!fence[2]) throw new Error(`${document}:${index + 1}: this block does not say what language it is in`);
      block = { language: fence[2], lines: [], indent: fence[1].length, at: index + 1 };
    } else if (block) {
      block.lines.push(line.slice(block.indent));
    } else {
      if ((line.split("`").length - 1) % 2 === 1) throw new Error(`${document}:${index + 1}: what is between backticks belongs on one line`);
      section = /^## /.test(line) ? `${document}: ${line.slice(3)}` : section;
      for (const [, text] of line.matchAll(new RegExp(`\`((?:scripts/test|(?:${PROGRAMS}) )[^\`]*)\``, "g"))) add("sh", text);
    }
  }
  return items;
}

/** @param {{ language: string, lines: string[], at: number }} block */
function close({ language, lines, at }, add, items) {
  if (language !== "sh") {
    const text = `${lines.join("\n")}\n`;
    add(language, text, at);
    items.at(-1).file = NAMED.exec(text)?.[1];
    return;
  }
  for (const [index, line] of lines.entries()) {
    const command = line.replace(/(^| +)#.*/, "").trim();
    if (command) add("sh", command, at + index);
  }
}
