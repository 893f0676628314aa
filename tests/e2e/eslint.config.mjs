// What is looked for in the web app and its tests beyond their types. Paths are seen from the repository's root.

import js from "@eslint/js";
import globals from "globals";

const RULES = {
  eqeqeq: "error",
  "no-implicit-globals": "error",
  "no-undef": "error",
  "no-unused-vars": ["error", { caughtErrors: "all" }],
  // Something that is used by a function above where it gets its only value cannot be a const.
  "prefer-const": ["error", { ignoreReadBeforeAssign: true }],
};

const NO_GLOBALS = "The page has no globals: export it from a module.";
const ASSIGNED = "[left.object.name=/^(globalThis|window)$/]";
const DEFINED = "[callee.object.name=/^(Object|Reflect)$/][callee.property.name=/^(assign|define|set)/][arguments.0.name=/^(globalThis|window)$/]";

export default [
  { ignores: ["**/node_modules/", "tests/e2e/artifacts/"] },
  { ...js.configs.recommended, files: ["web/**/*.js", "tests/**/*.{js,mjs}"] },
  {
    files: ["web/**/*.js"],
    languageOptions: { globals: globals.browser },
    rules: {
      ...RULES,
      "max-lines": ["error", 400],
      "no-restricted-syntax": [
        "error",
        { selector: `AssignmentExpression${ASSIGNED}`, message: NO_GLOBALS },
        { selector: `CallExpression${DEFINED}`, message: NO_GLOBALS },
      ],
    },
  },
  {
    // Tests hold functions that run in the page.
    files: ["tests/**/*.mjs"],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: RULES,
  },
  {
    files: ["tests/e2e/bare/*.js"],
    languageOptions: { globals: globals.browser },
    rules: RULES,
  },
];
