// What does the console know, and what can a person do in it? Signals that the screens read, and the acts that change them.
import {batch, computed, signal} from "./html.js";
import {Problem, follow, get, post} from "./api.js";
import {now} from "./time.js";
import {choose, t} from "./words.js";

export const me = signal(/** @type {any} */ (undefined));
export const choices = signal(/** @type {any} */ ({queues: [], issue_types: []}));
export const queues = signal(/** @type {any[]} */ ([]));
export const view = signal(/** @type {string} */ ("all"));
export const list = signal(/** @type {{items: any[], next: string|null, at: number}} */ ({items: [], next: null, at: 0}));
export const pending = signal(0);
export const chosen = signal("");
export const talk = signal(/** @type {any} */ (null));
export const connected = signal(true);
export const seenAt = signal(0);
export const notice = signal(/** @type {{text: string, alert: boolean}|null} */ (null));
export const tick = signal(0);
/** The pointer is on the list, or a key was pressed just now: nothing may move under it. */
export const busy = {pointer: false, key: 0};

export const account = computed(() => me.value?.account);
export const may = (/** @type {string} */ act) => Boolean(me.value?.may.includes(act));

/** Who is here? Everything else follows once somebody is. */
export async function begin() {
  try {
    me.value = await get("/me");
  } catch (problem) {
    me.value = null;
    return;
  }
  choose(account.value.language);
  choices.value = await get("/choices");
  await Promise.all([loadQueues(), loadList()]);
  follow(heard, (on) => { connected.value = on; if (on) seenAt.value = now(); });
}

export async function loadQueues() {
  queues.value = await get("/queues").catch(() => queues.value);
}

/** The list of the view, anew; or its next page. @param {boolean} [more] */
export async function loadList(more) {
  const query = new URLSearchParams({limit: "50"});
  if (view.value === "mine") query.set("holder", "me");
  else if (view.value === "free") query.set("holder", "none");
  else if (view.value !== "all") query.set("queue", view.value.slice(2));
  if (more && list.value.next) query.set("cursor", list.value.next);
  const page = await get(`/conversations?${query}`);
  batch(() => {
    list.value = {items: more ? [...list.value.items, ...page.items] : page.items, next: page.next, at: now()};
    pending.value = 0;
    seenAt.value = now();
  });
}

/** Show another view. @param {string} wanted */
export function show(wanted) {
  batch(() => { view.value = wanted; list.value = {items: [], next: null, at: 0}; });
  loadList().catch(failed);
}

/** Open a conversation. @param {string} ref */
export async function open(ref) {
  chosen.value = ref;
  if (location.hash !== `#${ref}`) history.pushState(null, "", `#${ref}`);
  await loadTalk();
}

export async function loadTalk() {
  const ref = chosen.value;
  if (!ref) { talk.value = null; return; }
  try {
    const [shown, line, why, clocks] = await Promise.all([
      get(`/conversations/${ref}`), get(`/conversations/${ref}/timeline`), get(`/conversations/${ref}/explanation`),
      get(`/conversations/${ref}/deadlines`),
    ]);
    const others = await get(`/contacts/${shown.contact.id}/conversations`);
    if (chosen.value === ref) talk.value = {...shown, ...line, why, clocks, others, at: now()};
  } catch (problem) { failed(problem); }
}

let waiting = 0;
/** Something happened at the desk. @param {{type: string, value: any}} event */
function heard(event) {
  if (event.type === "left") { me.value = null; return; }
  seenAt.value = now();
  if (event.type !== "reset") {
    pending.value += 1;
    if (talk.value && event.value.ref === talk.value.conversation.ref) loadTalk();
  }
  clearTimeout(waiting);
  waiting = window.setTimeout(settle, 150);
}

/** Take in what changed, unless that would move what a person is about to press. */
export function settle() {
  loadQueues();
  if (busy.pointer || now() - busy.key < 2000) { waiting = window.setTimeout(settle, 1000); return; }
  loadList().catch(() => {});
}

/** What an act says when it did not work. @param {any} problem */
export function failed(problem) {
  if (problem instanceof Problem && problem.status === 401) { me.value = null; return; }
  const text = problem instanceof Problem && problem.status ? problem.message : t("offline", "—");
  notice.value = {text: t("failed", text), alert: true};
}

/**
 * Do something to the open conversation. Repeating it with the same key changes nothing.
 * @param {string} act @param {Object} body @param {string} [key]
 */
export async function act(act, body, key) {
  try {
    await post(`/conversations/${chosen.value}/${act}`, body, key);
    notice.value = {text: t(act === "replies" ? "sent_to_queue" : "done"), alert: false};
    setTimeout(() => { if (notice.value && !notice.value.alert) notice.value = null; }, 4000);
    await Promise.all([loadTalk(), loadList(), loadQueues()]);
    return true;
  } catch (problem) {
    failed(problem);
    if (problem instanceof Problem && problem.status === 409) await loadTalk();
    return false;
  }
}

/** A draft is kept until it is sent, by conversation and kind. */
export const drafts = {
  /** @param {string} ref @param {string} kind */
  read: (ref, kind) => localStorage.getItem(`draft ${kind} ${ref}`) || "",
  /** @param {string} ref @param {string} kind @param {string} text */
  keep: (ref, kind, text) => (text ? localStorage.setItem(`draft ${kind} ${ref}`, text) : localStorage.removeItem(`draft ${kind} ${ref}`)),
};

setInterval(() => { tick.value = now(); }, 1000);
