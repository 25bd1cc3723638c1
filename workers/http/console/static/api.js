// How does a screen ask the desk? By the public API, as any other client, with the session's cookie.

/** A request that failed, with the sentence that tells why. */
export class Problem extends Error {
  /** @param {number} status @param {{detail?: string, type?: string}} told */
  constructor(status, told) {
    super(told.detail || `HTTP ${status}`);
    this.status = status;
    this.kind = (told.type || "").split("#")[1] || "";
  }
}

/** Milliseconds by which the server's clock is ahead of ours. */
export let ahead = 0;

/** @param {string} method @param {string} path @param {Object} [body] @param {string} [key] repeats of it are one act */
export async function ask(method, path, body, key) {
  /** @type {Record<string, string>} */
  const headers = {"x-requested-with": "omnirouter"};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (key) headers["idempotency-key"] = key;
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, {method, headers, body: body === undefined ? undefined : JSON.stringify(body)});
  } catch {
    throw new Problem(0, {detail: ""});
  }
  const date = Date.parse(answer.headers.get("date") || "");
  if (date) ahead = date + 500 - Date.now();
  if (answer.status === 204) return null;
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

export const get = (/** @type {string} */ path) => ask("GET", path);
export const post = (/** @type {string} */ path, /** @type {Object} */ body, key = crypto.randomUUID()) => ask("POST", path, body, key);

/**
 * Follow what happens, for ever: each event once, from where the last one ended, also over a lost connection.
 * @param {(event: {type: string, value: any}) => void} told
 * @param {(connected: boolean) => void} connection
 */
export async function follow(told, connection) {
  let last = "";
  for (;;) {
    try {
      const headers = last ? {"last-event-id": last} : {};
      const answer = await fetch("/api/v1/stream", {headers});
      if (answer.status === 401) return told({type: "left", value: null});
      if (!answer.ok || !answer.body) throw new Error();
      connection(true);
      for await (const event of events(answer.body)) {
        last = event.id || last;
        told({type: event.type, value: event.value});
      }
    } catch { /* it is tried again below */ }
    connection(false);
    await new Promise((done) => setTimeout(done, 2000));
  }
}

/** The server-sent events of a body. @param {ReadableStream<Uint8Array>} body */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() || "";
    for (const block of blocks) {
      /** @type {Record<string, string>} */
      const fields = {};
      for (const line of block.split("\n")) {
        const at = line.indexOf(": ");
        if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
      }
      if (fields.data) yield {id: fields.id, type: fields.event, value: JSON.parse(fields.data)};
    }
  }
}
