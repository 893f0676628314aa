// Which screen an address is for.

import { Meeting } from "./meeting.js";
import { roomOfPath } from "./names.js";
import { Settings } from "./settings.js";
import { trustsServer } from "./trust.js";
import { BAD_ROOM, offerAuthority, showStart } from "./view/start.js";

const room = roomOfPath(location.pathname);
if (room) {
  void new Meeting(room).enter();
} else {
  showStart({
    notice: room === null ? BAD_ROOM : "",
    onroom: (name) => location.assign(`/r/${encodeURIComponent(name)}`),
  });
  void offer();
}

/** To install the server's authority, unless this browser has it. */
async function offer() {
  const settings = new Settings();
  try {
    await settings.ticket();
  } catch {
    // Of a server that cannot be reached, joining tells.
    return;
  }
  if (settings.localCa) offerAuthority(await trustsServer());
}
