// What is not just typed on the server: commands that are for another machine, that never end, that need something to be there first, and the few
// that cannot run there, with the reason and what is checked instead.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import path from "node:path";
import { until } from "../../e2e/lib/until.mjs";
import { REPOSITORY } from "./docs.mjs";

/**
 * @typedef {object} Scene
 * @property {string} name  of the server
 * @property {string} address
 * @property {import("./vps.mjs").Vps} [vps]
 * @property {import("./pebble.mjs").Pebble} [pebble]
 * @property {import("../../e2e/lib/certificates.mjs").Trusting} [trusting]  who trusts Pebble
 * @property {import("../../e2e/lib/netns.mjs").Machine[]} [clients]
 * @property {() => void} [connect]  gives the server its address
 * @property {(client: import("../../e2e/lib/netns.mjs").Machine, ...words: string[]) => string} checkFrom
 * @property {(room: string, transport: string) => Promise<void>} call
 * @property {string} [hash]  of the password
 */

/** @typedef {(item: import("./docs.mjs").Item) => Promise<void> | void} How */

const AS_ROOT = "sudo env STATE_DIRECTORY=/var/lib/callbox";
const AS_SERVER = "sudo -u callbox env STATE_DIRECTORY=/var/lib/callbox";

/**
 * @param {Scene} scene
 * @returns {Record<string, How>}  by the command; by section and language where it is a block
 */
export function special(scene) {
  return { ...building(), ...elsewhere(scene), ...certified(scene), ...arranged(scene), ...access(scene), ...blocks(scene) };
}

/** @type {(...command: string[]) => string} */
const here = (...command) => execFileSync(command[0], command.slice(1), { encoding: "utf8", cwd: REPOSITORY, stdio: ["ignore", "pipe", "pipe"] });

/** The server has no Rust toolchain, Node.js or Internet; its source comes built. Instead: there is such a program to build, and such a script. */
function building() {
  const cargo = ({ text }) => {
    const [, command] = text.split(" ");
    assert.match(here("cargo", command, "--help"), /--release/);
    const { packages } = JSON.parse(here("cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"));
    const targets = packages.find(({ name }) => name === "callbox").targets;
    assert.ok(targets.some(({ name, kind }) => name === "callbox" && kind.includes("bin")));
  };
  const script = ({ text }) => {
    const [name] = text.split(" ");
    accessSync(path.join(REPOSITORY, name), constants.X_OK);
    here("bash", "-n", name);
  };
  return {
    "cargo run --release": cargo,
    "cargo build --release": cargo,
    "scripts/test": script,
    "scripts/soak": script,
    "scripts/soak --minutes 120 --seed 7 --out soak.svg": script,
  };
}

/** For one's own machine; SSH would need a server and a key. Instead: ssh understands the command, and the check is made from a client's machine. */
function elsewhere(scene) {
  const ssh = ({ text }) => assert.match(here("ssh", "-G", ...text.split(" ").slice(1)), /^hostname /m);
  const check = ({ text }) => void scene.checkFrom(scene.clients[0], ...text.split(" ").slice(2));
  return {
    "ssh root@203.0.113.7": ssh,
    "ssh -L 9480:127.0.0.1:9480 call.example.com": ssh,
    "callbox check https://call.example.com/": check,
    "callbox check --json https://call.example.com/": check,
  };
}

/** What gets a certificate: from Pebble instead of Let's Encrypt, which is all that is added to what the documentation says. */
function certified(scene) {
  const authority = () => `directory = "${scene.pebble.url}"\nca = "/etc/ssl/pebble.pem"\n`;
  const trust = '[tls]\ntrusted = true\n';
  const tried = (meanwhile) => ({ text }) => {
    const { vps } = scene;
    vps.write("/etc/ssl/pebble.pem", readFileSync(scene.pebble.ca, "utf8"));
    const file = `${vps.cwd}/config/callbox.toml`;
    const reference = readFileSync(path.join(REPOSITORY, "config/callbox.toml"), "utf8");
    vps.write(file, `${reference.replace('trusted = "auto"', "trusted = true")}\n[tls.acme]\n${authority()}`);
    return vps.during(text, (log) => log.includes("the authority has certified"), meanwhile);
  };
  const check = (host) => void scene.checkFrom(scene.clients[0], `https://${host}/`);
  return {
    "sudo target/release/callbox --domain call.example.com": tried(() => check(scene.name)),
    "sudo target/release/callbox --acme": tried(() => {
      check(scene.address);
      // `turns:` is for names only.
      return scene.call(`https://${scene.address}/r/by-address`, "tcp");
    }),
    "README.md: On a VPS toml": ({ file, text }) => {
      assert.match(text, /\[tls\.acme\][^[]*$/, "[tls.acme] is its last table");
      scene.vps.write(file, `${text}${authority()}${trust}`);
    },
  };
}

/** What never ends, and what needs something to be there first. */
function arranged(scene) {
  const log = ({ text }) => until(`\`${text}\` tells of the certificate`, () => scene.vps.type(text).includes("the authority has certified"));
  return {
    "sudo journalctl -u callbox": log,
    "sudo journalctl -u callbox -f": ({ text }) => scene.vps.during(text, (output) => output.includes("callbox"), () => {}),
    // There may be none, which journalctl takes for a failure.
    'sudo journalctl -u callbox --since today --grep "WARN|ERROR"': ({ text }) => {
      scene.vps.type(`${text} || [ $? = 1 ]`);
      assert.match(scene.vps.type(text.replace("WARN|ERROR", "INFO")), / INFO /);
    },
    // It has the service's ports, and says so.
    "callbox --log debug": ({ text }) => assert.match(scene.vps.type(text, { status: 2 }), /is used by another program/),
    // /proc/sys cannot be written in a container, which is what fails; the keys of the file are looked for instead.
    "sudo systemd-sysusers && sudo sysctl --system": ({ text }) => {
      const said = scene.vps.type(`${text}; true`);
      assert.match(said, /Applying \/etc\/sysctl\.d\/60-callbox\.conf/);
      assert.doesNotMatch(said, /No such file|cannot stat/);
      scene.vps.type("getent passwd callbox");
    },
    "sudo chown root:callbox /etc/callbox/*.pem; sudo chmod 640 /etc/callbox/*.pem": ({ text }) => {
      for (const name of ["fullchain", "privkey"]) scene.vps.write(`/etc/callbox/${name}.pem`, "");
      scene.vps.type(`${text}; sudo -u callbox cat /etc/callbox/fullchain.pem /etc/callbox/privkey.pem`);
    },
    "sudo systemctl disable --now coturn": ({ text }) => {
      scene.vps.write("/etc/systemd/system/coturn.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n");
      scene.vps.type("sudo systemctl enable --now coturn");
      scene.vps.type(text);
    },
    // There is no mirror: apt says what it would do.
    "sudo apt-get update": () => void scene.vps.type("sudo apt-get --print-uris update"),
    "sudo apt-get upgrade": () => void scene.vps.type("sudo apt-get --simulate upgrade"),
    "sudo apt-get install gcc libc6-dev ufw": ({ text }) => void here("apt-get", "--simulate", ...text.split(" ").slice(2)),
    // As in a private network.
    [`${AS_ROOT} callbox cert --export-ca ca.pem`]: ({ text }) => configured(scene.vps, () => 'listen = "[::]:443"\n[tls]\nlocal_ca = true\n', () => {
      scene.vps.type(text);
      assert.match(scene.vps.read("/home/ana/ca.pem"), /BEGIN CERTIFICATE/);
    }),
    // What was lost is back, as it was.
    "sudo tar -xzf /root/callbox-backup.tar.gz -C /": ({ text }) => {
      const look = () => scene.vps.type("sudo find /var/lib/callbox /etc/callbox -printf '%p %u %m %s\\n' | sort");
      const before = look();
      scene.vps.type("sudo rm -r /etc/callbox; sudo find /var/lib/callbox -mindepth 1 -delete");
      scene.vps.type(text);
      assert.equal(look(), before);
    },
  };
}

/** While the server that runs has another configuration. */
function configured(vps, change, meanwhile) {
  const file = "/etc/callbox/callbox.toml";
  const before = vps.read(file);
  const take = (text) => {
    vps.write(file, text);
    vps.type("sudo systemctl restart callbox");
  };
  take(change(before));
  meanwhile();
  take(before);
}

/** Those that use the server's secrets, where the documentation mentions them without saying again as whom they run. */
function access(scene) {
  const asServer = ({ text }) => void scene.vps.type(`${AS_SERVER} ${text}`);
  // In the mode that the text before it asks for.
  const invite = ({ text }) => configured(scene.vps, (before) => `${before}\n[access]\nmode = "invite"\n`, () => {
    const link = scene.vps.type(text).trim();
    assert.ok(link.startsWith(`https://${scene.name}/`), link);
  });
  const command = "callbox access invite --room team --ttl 7d --uses 1";
  return {
    [`${AS_SERVER} ${command}`]: invite,
    "callbox credentials": asServer,
    "callbox credentials --ttl 1h": asServer,
    "callbox access hash": ({ text }) => {
      scene.hash = scene.vps.type(text, { input: "correct horse battery staple\n" }).trim();
    },
    "README.md: Who may call toml": ({ text }) => {
      assert.match(text, /^password_hash = "\$argon2id\$v=19\$m=19456,t=2,p=1\$…"$/m);
      assert.ok(scene.hash.startsWith("$argon2id$v=19$m=19456,t=2,p=1$"), scene.hash);
      scene.vps.write("/home/ana/excerpt.toml", text.replace(/"\$argon2id.*"/, () => `"${scene.hash}"`));
      scene.vps.type("callbox config --config ~/excerpt.toml");
    },
  };
}

/** Blocks that are for something else than this server. */
function blocks(scene) {
  return {
    // tests/integration/proxied.rs runs nginx with these very blocks.
    "docs/operating.md: Behind another server nginx": () => {
      const driver = readFileSync(path.join(REPOSITORY, "tests/integration/support/nginx.rs"), "utf8");
      assert.ok(driver.includes("docs/operating.md"));
    },
    // tests/e2e/custom-page.test.mjs opens such a page; here, both scripts are there.
    "README.md: A web app of your own html": ({ text }) => {
      const scripts = [...text.matchAll(/"(\/config[a-z.]*\.js)"/g)].map(([, script]) => script);
      assert.deepEqual(scripts, ["/config.js", "/config.global.js"]);
      for (const script of scripts) assert.match(scene.vps.type(`curl -sSk --fail https://localhost${script}`), /PC_CONFIG/);
    },
  };
}
