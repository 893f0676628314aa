// Where it takes place: machines that are network namespaces of this run's own, and addresses in them that lead nowhere else.

import { Network } from "../lib/netns.mjs";

/** How many addresses each of the two has that connect a lot; the bounds are per address. */
const CROWD = 60;
const HOSTILE = 8;

export const SERVER = "51.15.7.1";
/** Comes and goes. */
const SECOND = "51.15.7.2";

export class Place {
  constructor() {
    this.network = new Network();
    const internet = this.network.router("internet");
    const machine = (name, network) => {
      const machine = this.network.machine(name);
      this.network.join(internet, machine, network);
      return machine;
    };
    this.server = machine("server", "51.15.7.");
    this.ana = machine("ana", "51.15.8.");
    this.bo = machine("bo", "51.15.9.");
    this.crowd = machine("crowd", "51.15.10.");
    this.hostile = machine("hostile", "51.15.11.");
    this.crowdAddresses = addresses(this.crowd, "51.15.10.", CROWD);
    this.hostileAddresses = addresses(this.hostile, "51.15.11.", HOSTILE);
  }

  /** The server gets another address, or loses it again. */
  changeAddress() {
    this.changed = !this.changed;
    this.server.ip(`address ${this.changed ? "add" : "delete"} ${SECOND}/24 dev uplink`);
  }

  remove() {
    this.network.remove();
  }
}

/**
 * @param {import("../lib/netns.mjs").Machine} machine
 * @param {string} network
 * @param {number} count
 */
function addresses(machine, network, count) {
  const all = Array.from({ length: count }, (_, number) => `${network}${number + 2}`);
  for (const address of all) machine.ip(`address add ${address}/24 dev uplink`);
  return all;
}
