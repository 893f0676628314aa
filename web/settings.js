// What the server tells a page that it loads: who the page's visitor is, how long a seat is kept, and who may call.

export class Settings {
  #version = 0;
  /** @type {Promise<{ SETTINGS: { ticket: string, resumeSeconds: number, invitations: boolean, localCa: boolean } }> | undefined} */
  #loaded;
  /** How long the server keeps the seat of somebody who is lost. */
  resumeMs = 30_000;
  /** May only those call who were invited? */
  invitations = false;
  /** Can devices install the authority that has signed the server's certificate? */
  localCa = false;

  async ticket() {
    // The module at first, then the same address again, which gives another visitor.
    this.#loaded ??= import(`./config.js${this.#version ? `?${this.#version}` : ""}`);
    try {
      const { SETTINGS } = await this.#loaded;
      this.resumeMs = SETTINGS.resumeSeconds * 1000;
      this.invitations = SETTINGS.invitations;
      this.localCa = SETTINGS.localCa === true;
      return SETTINGS.ticket;
    } catch (error) {
      // A failed module stays failed under its address.
      this.refresh();
      throw error;
    }
  }

  refresh() {
    this.#version += 1;
    this.#loaded = undefined;
  }
}
