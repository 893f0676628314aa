// Links into a room, for others.

/**
 * @typedef {object} Invitation
 * @property {string} link
 * @property {string} code  where it is drawn as a QR code
 */

/**
 * The room's own address, which lets in everybody who may call.
 * @param {string} room
 * @returns {Invitation}
 */
export function address(room) {
  const name = encodeURIComponent(room);
  return { link: `${location.origin}/r/${name}`, code: `/qr.svg?room=${name}` };
}

/**
 * One that lets in whoever has it, where others are not let in; the server makes it for those who are.
 * @param {string} room
 * @returns {Promise<Invitation>}
 */
export async function invitation(room) {
  const response = await fetch("/access/invite", { method: "POST", body: new URLSearchParams({ room }) });
  if (!response.ok) throw new Error("the server makes no invitation");
  const link = await response.text();
  return { link, code: `/qr.svg?invitation=${encodeURIComponent(link.split("/").pop() ?? "")}` };
}
