// Checks the ledger in the visitor's own browser: what the server says is data here, and nothing of it is believed.
//
// RFC 6962: a leaf is SHA-256(0x00 || entry), a node SHA-256(0x01 || left || right). A checkpoint is a C2SP signed note, a
// proof a C2SP tlog-proof. All that has to be trusted is the log's verifier key, which its operator gives by another way; it is
// remembered in this browser, as is the last checkpoint seen, so that a ledger which was rewritten since is noticed.

const encoder = new TextEncoder();
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(parts)));
const same = (a, b) => a.length === b.length && a.every((byte, place) => byte === b[place]);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) { whole.set(part, place); place += part.length; }
  return whole;
}

export function decoded(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

export const leafHash = (entry) => sha256(Uint8Array.of(0), entry);
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

/** The root that a leaf at `index` leads to in a tree of `size`, by RFC 9162, section 2.1.3.2. */
export async function rootFrom(leaf, index, size, path) {
  if (!(index < size)) throw new Error("the entry lies beyond the checkpoint");
  let place = BigInt(index), last = BigInt(size) - 1n, hash = leaf;
  for (const sibling of path) {
    if (last === 0n) throw new Error("the proof is too long");
    if (place & 1n || place === last) {
      hash = await nodeHash(sibling, hash);
      while (!(place & 1n) && place !== 0n) { place >>= 1n; last >>= 1n; }
    } else hash = await nodeHash(hash, sibling);
    place >>= 1n; last >>= 1n;
  }
  if (last !== 0n) throw new Error("the proof is too short");
  return hash;
}

/** Whether a tree of `newSize` with `newRoot` extends one of `oldSize` with `oldRoot`, by RFC 9162, section 2.1.4.2. */
export async function extendsTree(oldSize, oldRoot, newSize, newRoot, path) {
  if (oldSize === newSize) return same(oldRoot, newRoot) && path.length === 0;
  if (oldSize === 0) return path.length === 0;
  const hashes = (oldSize & (oldSize - 1)) === 0 && oldSize > 0 ? [oldRoot, ...path] : path;
  if (hashes.length === 0) return false;
  let place = BigInt(oldSize) - 1n, last = BigInt(newSize) - 1n;
  while (place & 1n) { place >>= 1n; last >>= 1n; }
  let older = hashes[0], newer = hashes[0];
  for (const hash of hashes.slice(1)) {
    if (last === 0n) return false;
    if (place & 1n || place === last) {
      older = await nodeHash(hash, older); newer = await nodeHash(hash, newer);
      while (!(place & 1n) && place !== 0n) { place >>= 1n; last >>= 1n; }
    } else newer = await nodeHash(newer, hash);
    place >>= 1n; last >>= 1n;
  }
  return last === 0n && same(older, oldRoot) && same(newer, newRoot);
}

export function parseCheckpoint(note) {
  const end = note.indexOf("\n\n");
  if (end < 0) throw new Error("the checkpoint has no signatures");
  const body = note.slice(0, end + 1);
  const [origin, size, root] = body.split("\n");
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size)) throw new Error("the checkpoint's size is no number");
  const signatures = note.slice(end + 2).split("\n").filter(Boolean).map((line) => {
    const found = /^\u2014 (\S+) (\S+)$/.exec(line);
    if (!found) throw new Error("a signature line is malformed");
    return { name: found[1], bytes: decoded(found[2]) };
  });
  return { origin, size: Number(size), root: decoded(root), body, signatures };
}

export function parseProof(text) {
  const end = text.indexOf("\n\n");
  const lines = text.slice(0, end).split("\n");
  if (end < 0 || lines.shift() !== "c2sp.org/tlog-proof@v1") throw new Error("this is not a proof");
  if (lines[0]?.startsWith("extra ")) lines.shift();
  const index = /^index (0|[1-9][0-9]{0,15})$/.exec(lines.shift() ?? "");
  if (!index) throw new Error("the proof has no index");
  return { index: Number(index[1]), path: lines.map(decoded), checkpoint: parseCheckpoint(text.slice(end + 2)) };
}

/** A verifier key as the operator gives it: name+hash+base64(0x01 || Ed25519 key). */
export async function parseKey(text) {
  const found = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim());
  if (!found) throw new Error("a verifier key looks like name+01234567+base64");
  const bytes = decoded(found[3]);
  if (bytes[0] !== 1 || bytes.length !== 33) throw new Error("this is not an Ed25519 verifier key");
  const id = (await sha256(encoder.encode(`${found[1]}\n`), bytes)).slice(0, 4);
  if (hex(id) !== found[2]) throw new Error("the verifier key is mistyped: its hash does not fit");
  return { name: found[1], id, bytes: bytes.slice(1) };
}

export async function isSigned(checkpoint, key) {
  const imported = await crypto.subtle.importKey("raw", key.bytes, { name: "Ed25519" }, false, ["verify"]);
  for (const { name, bytes } of checkpoint.signatures) {
    if (name !== key.name || !same(bytes.slice(0, 4), key.id)) continue;
    if (await crypto.subtle.verify("Ed25519", imported, bytes.slice(4), encoder.encode(checkpoint.body))) return true;
  }
  return false;
}

// --- what the pages show

const stored = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* not remembered */ } };

async function fetched(address) {
  const answer = await fetch(address, { credentials: "same-origin", redirect: "error" });
  if (!answer.ok) throw new Error(answer.status === 404 ? "it is not signed yet; try again in a second" : `the server answered ${answer.status}`);
  return answer.text();
}

function step(list, outcome, said) {
  const item = document.createElement("li");
  item.className = outcome;
  const sign = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of [["class", "sign"], ["width", "18"], ["height", "18"], ["aria-hidden", "true"]]) sign.setAttribute(name, value);
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#sign-${outcome}`);
  sign.append(use);
  const words = document.createElement("span");
  words.textContent = said;
  item.append(sign, words);
  list.append(item);
}

async function checkSignature(list, checkpoint, origin) {
  if (checkpoint.origin !== origin) return step(list, "bad", `The checkpoint is of another ledger: ${checkpoint.origin}.`);
  const text = stored(`key:${origin}`);
  if (!text) return step(list, "none", "The signature was not checked: give this browser the log's verifier key, on the Ledger page.");
  try {
    const ok = await isSigned(checkpoint, await parseKey(text));
    step(list, ok ? "ok" : "bad", ok ? "The checkpoint is signed by the key that you gave." : "The checkpoint is NOT signed by the key that you gave. Tell the operator, and do not rely on this ledger.");
  } catch (error) {
    step(list, "none", `This browser cannot check Ed25519 signatures (${error.message}).`);
  }
}

async function checkGrowth(list, checkpoint, base, origin) {
  const before = JSON.parse(stored(`seen:${origin}`) ?? "null");
  if (before && before.size > 0) {
    const root = decoded(before.root);
    if (before.size > checkpoint.size) return step(list, "bad", `You have seen this ledger with ${before.size} entries; it shows only ${checkpoint.size} now.`);
    const lines = (await fetched(`${base}/log/consistency?old=${before.size}&new=${checkpoint.size}`)).split("\n").filter(Boolean);
    if (!(await extendsTree(before.size, root, checkpoint.size, checkpoint.root, lines.map(decoded)))) {
      return step(list, "bad", `What you saw at ${before.size} entries is NOT the beginning of what is shown now: the ledger was rewritten.`);
    }
    step(list, "ok", `It only grew since your last visit: from ${before.size} to ${checkpoint.size} entries, and the first ${before.size} are the same.`);
  } else step(list, "none", "Your first visit with this browser: from now on it notices if the ledger is rewritten.");
  store(`seen:${origin}`, JSON.stringify({ size: checkpoint.size, root: btoa(String.fromCharCode(...checkpoint.root)) }));
}

function canCheck(list) {
  if (globalThis.crypto?.subtle) return true;
  step(list, "none", "Browsers check hashes only on pages that came over TLS (or from this very machine).");
  return false;
}

class Proof extends HTMLElement {
  connectedCallback() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "main";
    button.textContent = "Check this entry";
    const list = document.createElement("ol");
    list.className = "steps";
    list.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => { list.replaceChildren(); button.disabled = true; await this.check(list); button.disabled = false; });
    this.append(button, list);
  }

  async check(list) {
    if (!canCheck(list)) return;
    const { base, index, origin } = this.dataset;
    try {
      const leaf = await leafHash(encoder.encode(document.getElementById("canonical").textContent));
      const shown = document.getElementById("leaf").textContent.trim();
      step(list, hex(leaf) === shown ? "ok" : "bad", hex(leaf) === shown ? "The bytes below have the leaf hash that is shown." : `The bytes below have another leaf hash: ${hex(leaf)}.`);
      const proof = parseProof(await fetched(`${base}/log/proof/${index}`));
      if (proof.index !== Number(index)) throw new Error("the proof is of another entry");
      const root = await rootFrom(leaf, proof.index, proof.checkpoint.size, proof.path);
      const leads = same(root, proof.checkpoint.root);
      step(list, leads ? "ok" : "bad", leads ? `${proof.path.length} hashes lead from it to the root of the checkpoint over ${proof.checkpoint.size} entries.` : "The proof does NOT lead to the checkpoint's root.");
      await checkSignature(list, proof.checkpoint, origin);
      this.dataset.checked = "yes";
    } catch (error) {
      step(list, "bad", `It could not be checked: ${error.message}.`);
    }
  }
}

class Trust extends HTMLElement {
  connectedCallback() {
    const { origin } = this.dataset;
    const form = document.createElement("form");
    form.className = "row";
    const label = document.createElement("label");
    label.append("The log's verifier key, as its operator gave it to you ");
    const field = document.createElement("input");
    field.value = stored(`key:${origin}`) ?? "";
    field.placeholder = `${origin}+01234567+\u2026`;
    field.spellcheck = false;
    label.append(field);
    const button = document.createElement("button");
    button.textContent = "Check this checkpoint";
    const list = document.createElement("ol");
    list.className = "steps";
    list.setAttribute("aria-live", "polite");
    form.append(label, button);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      list.replaceChildren();
      if (field.value.trim()) {
        try { await parseKey(field.value); store(`key:${origin}`, field.value.trim()); } catch (error) { return step(list, "bad", `${error.message}.`); }
      }
      if (canCheck(list)) await this.check(list);
    });
    this.append(form, list);
  }

  async check(list) {
    const { base, origin } = this.dataset;
    try {
      const checkpoint = parseCheckpoint(await fetched(`${base}/log/checkpoint`));
      await checkSignature(list, checkpoint, origin);
      await checkGrowth(list, checkpoint, base, origin);
      this.dataset.checked = "yes";
    } catch (error) {
      step(list, "bad", `It could not be checked: ${error.message}.`);
    }
  }
}

customElements.define("muniment-proof", Proof);
customElements.define("muniment-trust", Trust);
