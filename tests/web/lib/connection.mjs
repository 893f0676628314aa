// A browser's connection, as tests of a peer have it.

/** As much of a connection as offers and candidates need; what a test says of its states, it has. */
export class Connection {
  static all = [];
  signalingState = "stable";
  connectionState = "new";
  iceConnectionState = "new";
  iceGatheringState = "new";
  localDescription = null;
  remoteDescription = null;
  candidates = [];
  /** What goes over the channel. */
  sent = [];
  channel = { readyState: "connecting", send: (text) => this.sent.push(JSON.parse(text)) };
  constructor() {
    Connection.all.push(this);
  }
  createDataChannel() {
    return this.channel;
  }
  addTransceiver() {}
  getTransceivers() {
    return [];
  }
  setConfiguration() {}
  restartIce() {}
  async setLocalDescription() {
    const answers = this.signalingState === "have-remote-offer";
    this.localDescription = { type: answers ? "answer" : "offer", sdp: "v=0" };
    this.signalingState = answers ? "stable" : "have-local-offer";
  }
  async setRemoteDescription(description) {
    this.remoteDescription = description;
    this.signalingState = description.type === "offer" ? "have-remote-offer" : "stable";
  }
  async addIceCandidate(candidate) {
    this.candidates.push(candidate);
  }
  close() {
    this.signalingState = this.connectionState = "closed";
  }
  becomes(states) {
    Object.assign(this, states);
    this.onconnectionstatechange?.();
    this.oniceconnectionstatechange?.();
  }
}

globalThis.MediaStream ??= class {};
Reflect.set(globalThis, "RTCPeerConnection", Connection);
