// How to install the server's authority: the visitor's own system first, and open.

import { systemOf } from "./system.js";

const place = document.getElementById("systems");
const own = place?.querySelector(`[data-system="${systemOf(navigator)}"]`);
if (place && own instanceof HTMLDetailsElement) {
  own.open = true;
  place.prepend(own);
}
