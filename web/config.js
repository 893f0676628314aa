// The server answers /config.js with values made for each visitor. This file stands in for it on disk, for editors and
// type checks, and when the folder is served by another program.

/** @type {RTCConfiguration} */
export const PC_CONFIG = { iceServers: [], iceTransportPolicy: "all" };

/** @type {{ ticket: string, maxPeers: number, resumeSeconds: number, localCa: boolean, version: string }} */
export const SETTINGS = { ticket: "", maxPeers: 8, resumeSeconds: 30, localCa: false, version: "0" };
