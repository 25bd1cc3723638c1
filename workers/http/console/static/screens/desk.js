// The agent's screen: queues, the list in working order, the open conversation, and what is known beside it.
import {Button, Icon, html, useEffect} from "../html.js";
import {ask} from "../api.js";
import {act, account, busy, chosen, connected, list, loadList, may, me, notice, open, pending, queues, seenAt, settle, show, talk, tick, view} from "../store.js";
import {promised, span, when} from "../time.js";
import {named, t} from "../words.js";
import {Side} from "./side.js";
import {Talk} from "./talk.js";

const SHAPES = {late: "late", soon: "soon", ontime: "ontime", waiting: "waiting"};
const KINDS = [["mail", "mail"], ["telegram", "telegram"], ["wechat", "wechat"], ["line", "line"], ["x", "x"], ["facebook", "facebook"], ["messenger", "facebook"], ["phone", "phone"], ["hotline", "phone"]];

/** The icon of a channel, by its name. @param {string} channel */
export const channelIcon = (channel) => (KINDS.find(([part]) => channel.split(/[-_]/).includes(part)) || ["", "chat"])[1];

/** @param {{c: any, at: number, fetched: number}} of */
export const Clock = ({c, at, fetched}) => {
  const p = promised(c, fetched, at);
  return html`<span class=${`clock ${p.state}`}><${Icon} name=${SHAPES[p.state]} />${p.word && html`<span>${p.word}</span>`}${p.left}</span>`;
};

export function Desk() {
  useEffect(() => {
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  }, []);
  const late = queues.value.reduce((sum, q) => sum + q.breached, 0);
  const title = talk.value ? `${talk.value.conversation.name} · ` : "";
  useEffect(() => { document.title = `${late ? `(${late}) ` : ""}${title}${t("desk")}`; });
  return html`<div class=${`desk ${chosen.value ? "talking" : ""}`}>
    <a class="skip" href="#timeline">${t("skip")}</a>
    <${Rail} /><${List} /><${Talk} /><${Side} /><${Bars} />
  </div>`;
}

/** @param {{to: string, icon?: string, word: string, over?: number, count?: number}} of */
const View = ({to, icon, word, over, count}) => html`<li><a href="#" aria-current=${view.value === to ? "page" : undefined}
  onClick=${(/** @type {Event} */ e) => { e.preventDefault(); show(to); }}>
  ${icon && html`<${Icon} name=${icon} />`}<span class="cut">${word}</span>
  ${over ? html`<span class="over">${over}<span class="sr"> ${named("state", "breached")}</span></span>` : null}
  ${count === undefined ? null : html`<span class="n">${count}</span>`}</a></li>`;

function Rail() {
  const all = queues.value.reduce((sum, q) => sum + q.waiting, 0);
  const late = queues.value.reduce((sum, q) => sum + q.breached, 0);
  return html`<nav class="rail" aria-label=${t("queues")}>
    <div class="bar brand"><${Icon} name="logo" />${t("desk")}</div>
    <div class="scroll" tabindex="0" role="group" aria-label=${t("queues")}>
      <ul class="nav">
        <${View} to="mine" icon="user" word=${t("mine")} />
        <${View} to="all" icon="inbox" word=${t("all")} over=${late} count=${all} />
        <${View} to="free" icon="hand" word=${t("nobodys")} />
      </ul>
      <h2>${t("queues")}</h2>
      <ul class="nav">${queues.value.map((q) => html`<${View} key=${q.name} to=${`q-${q.name}`} word=${named("queue", q.name)} over=${q.breached} count=${q.waiting} />`)}</ul>
    </div>
    <div class="foot"><span class="face" aria-hidden="true">${account.value.name.slice(0, 1)}</span><span class="cut">${account.value.name}</span>
      <${Button} kind="quiet icon push" icon="theme" aria-label=${t("theme")} onClick=${theme} />
      <${Button} kind="quiet icon" icon="export" aria-label=${t("log_out")} onClick=${leave} /></div>
  </nav>`;
}

function theme() {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = (root.dataset.theme || (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
}

const leave = () => ask("DELETE", "/session").finally(() => { me.value = null; });

function List() {
  const {items, next, at} = list.value;
  tick.value;
  return html`<section class="list" aria-labelledby="list-title" onPointerEnter=${() => { busy.pointer = true; }}
    onPointerLeave=${() => { busy.pointer = false; if (pending.value) settle(); }}>
    <div class="bar"><h1 id="list-title">${viewName()}</h1><span class="meta">${t("urgent_first")}</span>
      ${pending.value ? html`<${Button} kind="quiet push" onClick=${() => loadList()}>${t("changed", pending.value)}<//>` : null}</div>
    <div class="scroll" tabindex="0" role="group" aria-label=${viewName()}>
      ${items.length ? null : html`<p class="empty">${t("nothing")}</p>`}
      <ol>${items.map((c) => html`<${Row} key=${c.ref} c=${c} at=${tick.value || at} fetched=${at} />`)}</ol>
      ${next && html`<p class="empty"><${Button} onClick=${() => loadList(true)}>${t("more")}<//></p>`}
    </div>
  </section>`;
}

const viewName = () => (view.value.startsWith("q-") ? named("queue", view.value.slice(2)) : t({mine: "mine", all: "all", free: "nobodys"}[view.value] || "all"));

/** @param {{c: any, at: number, fetched: number}} of */
function Row({c, at, fetched}) {
  const metric = c.promise ? html`<b>${named("metric", c.promise.metric)}</b> ` : null;
  const waited = c.waiting_since ? t("waits", span((at - Date.parse(c.waiting_since)) / 1000)) : when(c.last_message_at);
  const mine = c.holder === account.value.name;
  return html`<li><a class="row" href=${`#${c.ref}`} aria-current=${chosen.value === c.ref ? "true" : undefined}
    onClick=${(/** @type {Event} */ e) => { e.preventDefault(); open(c.ref); }}>
    <span class="l1"><${Clock} c=${c} at=${at} fetched=${fetched} /></span>
    <span class="l1"><span class="who">${c.name || c.ref}</span>
      ${c.priority > 50 && html`<span class="prio" title=${t("priority", c.priority)}><${Icon} name="p3" small /><span class="sr">${t("priority", c.priority)}</span></span>`}
      <span class="what cut">${named("type", c.issue_type)}</span>${c.chases ? html`<span class="chase">${t("chased", c.chases)}</span>` : null}
      <span class="chans">${c.channels.map((/** @type {string} */ name) => html`<${Icon} name=${channelIcon(name)} />`)}<span class="sr">${c.channels.join(", ")}</span></span></span>
    <span class="l2 promise meta">${metric}${waited}</span>
    <span class="l2"><span class="words cut">${c.last_words}</span><span class=${`holder ${mine ? "me" : ""}`}>${c.holder ? (mine ? t("me") : c.holder) : t("free")}</span></span>
  </a></li>`;
}

/** What must be said across the screen: offline, what an act did, what went wrong. */
function Bars() {
  return html`<div class="bars">
    ${connected.value ? null : html`<p class="note-bar late" role="alert">${t("offline", when(new Date(seenAt.value || Date.now()).toISOString()))}</p>`}
    ${notice.value && html`<p class=${`note-bar ${notice.value.alert ? "late" : ""}`} role=${notice.value.alert ? "alert" : "status"}>${notice.value.text}
      <${Button} kind="quiet icon" icon="close" aria-label=${t("back")} onClick=${() => { notice.value = null; }} /></p>`}
  </div>`;
}

/** @param {KeyboardEvent} event */
function keys(event) {
  const field = /** @type {HTMLElement} */ (event.target);
  if (event.key === "Escape") {
    if (field.tagName === "TEXTAREA") { field.blur(); /** @type {HTMLElement|null} */ (document.querySelector(".row[aria-current]"))?.focus(); }
    else { chosen.value = ""; talk.value = null; history.pushState(null, "", "#"); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(field.tagName)) return;
  const at = list.value.items.findIndex((c) => c.ref === chosen.value);
  const step = {j: 1, k: -1}[event.key];
  if (step) { const c = list.value.items[Math.max(0, Math.min(list.value.items.length - 1, at + step))]; if (c) open(c.ref).then(() => /** @type {HTMLElement|null} */ (document.querySelector(".row[aria-current]"))?.focus()); }
  else if (event.key === "o" && at < 0 && list.value.items[0]) open(list.value.items[0].ref);
  else if (event.key === "r" || event.key === "n") { event.preventDefault(); /** @type {HTMLElement|null} */ (document.querySelector(`[data-kind=${event.key === "r" ? "reply" : "note"}]`))?.click(); }
  else if (event.key === "t" && chosen.value && may("conversation:take")) act("take", {});
  else if (event.key === "e" && chosen.value && may("conversation:status")) act("status", {to: "solved"});
}
