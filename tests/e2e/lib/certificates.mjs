// Browsers that trust an authority, and one of the test's own. Needs openssl and NSS' certutil.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** Browsers that trust an authority. */
export class Trusting {
  #dir = mkdtempSync(path.join(tmpdir(), "callbox-authority-"));

  /** @param {string} [pem]  the file of its certificate, if it is there already */
  constructor(pem) {
    this.pem = pem ?? this.path("authority.pem");
  }

  /** The environment of a Chromium that trusts it. */
  get chromium() {
    const home = this.path("home");
    const database = path.join(home, ".pki/nssdb");
    if (existsSync(database)) return { HOME: home };
    mkdirSync(database, { recursive: true });
    const certutil = (...words) => execFileSync("certutil", ["-d", `sql:${database}`, ...words], { stdio: "pipe" });
    certutil("-N", "--empty-password");
    certutil("-A", "-n", "callbox test", "-t", "C,,", "-i", this.pem);
    return { HOME: home };
  }

  /**
   * A Firefox that trusts it. It reads policies beside its own executable, so it is one of the test's own, with all else
   * linked from the installed one.
   * @param {string} installed  the executable
   */
  firefox(installed) {
    const executable = realpathSync(installed);
    const [from, to] = [path.dirname(executable), this.path("firefox")];
    mkdirSync(path.join(to, "distribution"), { recursive: true });
    for (const name of readdirSync(from)) {
      if (name !== "distribution" && name !== path.basename(executable)) symlinkSync(path.join(from, name), path.join(to, name));
    }
    const copy = path.join(to, path.basename(executable));
    copyFileSync(executable, copy);
    const policies = { Certificates: { Install: [this.pem] } };
    writeFileSync(path.join(to, "distribution/policies.json"), JSON.stringify({ policies }));
    return copy;
  }

  remove() {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** @param {string} file */
  path(file) {
    return path.join(this.#dir, file);
  }
}

export class Authority extends Trusting {
  /**
   * @param {string} name  the host that it certifies
   * @param {object} [options]
   * @param {boolean} [options.expired]  it was good until yesterday
   */
  constructor(name, { expired = false } = {}) {
    super();
    this.#openssl("authority", `/CN=callbox test authority`, []);
    const extensions = [`subjectAltName=DNS:${name}`, "basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth"];
    const by = ["-CA", this.path("authority.pem"), "-CAkey", this.path("authority.key")];
    this.#openssl("host", `/CN=${name}`, [...by, ...extensions.flatMap((text) => ["-addext", text])]);
    if (expired) this.#expire("host", by);
  }

  /** The environment of a server that has the certificate. */
  get server() {
    const [CALLBOX__TLS__CERT, CALLBOX__TLS__KEY] = [this.path("host.pem"), this.path("host.key")];
    return { CALLBOX__TLS__CERT, CALLBOX__TLS__KEY, CALLBOX__TLS__TRUSTED: "true" };
  }

  /** Issues NAME.pem anew: only in this way openssl lets it end before it begins. */
  #expire(name, by) {
    const [file, request] = [this.path(`${name}.pem`), this.path(`${name}.csr`)];
    const x509 = (...words) => execFileSync("openssl", ["x509", "-copy_extensions", "copyall", ...words], { stdio: "pipe" });
    x509("-x509toreq", "-in", file, "-signkey", this.path(`${name}.key`), "-out", request);
    x509("-req", "-in", request, "-days", "-1", ...by, "-out", file);
  }

  /** Makes NAME.key and NAME.pem. */
  #openssl(name, subject, more) {
    const files = ["-keyout", this.path(`${name}.key`), "-out", this.path(`${name}.pem`)];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    execFileSync("openssl", ["req", "-x509", "-days", "30", "-subj", subject, ...key, ...files, ...more], { stdio: "pipe" });
  }
}
