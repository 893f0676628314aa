// Which screen an address is for.

import { Meeting } from "./meeting.js";
import { roomOfPath } from "./names.js";
import { BAD_ROOM, showStart } from "./view/start.js";

const room = roomOfPath(location.pathname);
if (room) {
  void new Meeting(room).enter();
} else {
  showStart({
    notice: room === null ? BAD_ROOM : "",
    onroom: (name) => location.assign(`/r/${encodeURIComponent(name)}`),
  });
}
