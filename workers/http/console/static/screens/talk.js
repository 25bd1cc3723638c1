// The open conversation: the promise, suggested links, one timeline over all channels, and the composer.
import {Button, Icon, html, useEffect, useRef, useState} from "../html.js";
import {act, account, chosen, drafts, loadTalk, may, talk, tick, choices} from "../store.js";
import {day, span, when} from "../time.js";
import {named, t} from "../words.js";
import {Clock, channelIcon} from "./desk.js";

export function Talk() {
  const shown = talk.value;
  if (!shown || !chosen.value) return html`<section class="talk"><div class="bar"></div><p class="empty">${t("nothing_open")}</p></section>`;
  const c = shown.conversation;
  tick.value;
  return html`<section class="talk" aria-labelledby="talk-title">
    <div class="bar"><${Button} kind="quiet icon only-narrow" icon="back" aria-label=${t("back")} onClick=${() => { chosen.value = ""; talk.value = null; }} />
      <h2 id="talk-title" class="cut">${c.name || c.ref}<span>${named("type", c.issue_type)} · ${c.ref}</span></h2><${Acts} c=${c} /></div>
    <div class="promise-box"><div class="due-line"><${Clock} c=${c} at=${tick.value || shown.at} fetched=${shown.at} />
      <p class="cut">${c.promise ? named("metric", c.promise.metric) : named("status", t(c.status))}
        <span class="meta"> ${named("queue", c.queue)}${c.holder ? ` · ${c.holder === account.value.name ? t("me") : t("took_over", c.holder)}` : ""}</span></p>
      ${c.waiting_since && html`<p class="waited meta">${t("first_waits", when(c.waiting_since))}${c.chases ? ` · ${t("chased", c.chases)}` : ""}</p>`}</div></div>
    <${Suggested} c=${c} />
    <${Timeline} shown=${shown} />
    ${may("conversation:reply") && html`<${Composer} key=${c.ref} shown=${shown} />`}
  </section>`;
}

/** @param {{c: any}} of */
function Acts({c}) {
  const mine = c.holder === account.value.name, over = c.status === "solved" || c.status === "closed";
  if (!may("conversation:status")) return null;
  return html`<div class="acts">
    ${mine ? html`<${Button} kind="quiet" icon="hand" onClick=${() => act("release", {})}>${t("release")}<//>` : html`<${Button} kind="quiet" icon="hand" keys="t" onClick=${() => act("take", {})}>${t("take")}<//>`}
    <label class="pick"><span class="sr">${t("move")}</span><select aria-label=${t("move")} value=${c.queue} onChange=${(/** @type {any} */ e) => act("move", {queue: e.target.value})}>
      ${choices.value.queues.map((/** @type {string} */ q) => html`<option value=${q} selected=${q === c.queue}>${named("queue", q)}</option>`)}</select></label>
    <label class="pick"><span class="sr">${t("retag")}</span><select aria-label=${t("retag")} value=${c.issue_type} onChange=${(/** @type {any} */ e) => act("retag", {issue_type: e.target.value})}>
      ${choices.value.issue_types.map((/** @type {string} */ i) => html`<option value=${i} selected=${i === c.issue_type}>${named("type", i)}</option>`)}</select></label>
    ${over ? html`<${Button} icon="retry" onClick=${() => act("status", {to: "open"})}>${t("reopen")}<//>`
      : html`<${Button} kind="quiet" icon="waiting" onClick=${() => act("status", {to: "pending"})}>${t("wait")}<//><${Button} icon="check" keys="e" onClick=${() => act("status", {to: "solved"})}>${t("solve")}<//>`}
  </div>`;
}

/** Other conversations that may be the same matter: one click either way. @param {{c: any}} of */
function Suggested({c}) {
  const asked = c.links.filter((/** @type {any} */ l) => l.reason === "suggested_link" || l.reason === "unproven_link");
  return asked.map((/** @type {any} */ l) => html`<div class="suggest"><div class="top"><${Icon} name=${l.reason === "unproven_link" ? "unproved" : "link"} />
    <h3 class="cut"><a href=${`#${l.ref}`}>${l.reason === "unproven_link" ? t("also", l.ref) : t("same", l.ref)}</a></h3><span class="why"><span class="tag">${l.because || named("", l.reason)}</span></span>
    ${may("link:accept") && l.reason === "suggested_link" && html`<span class="push"><${Button} onClick=${() => act(`links/${l.ref}/accept`, {})} icon="join">${t("join")}<//> <${Button} kind="quiet" onClick=${() => act(`links/${l.ref}/refuse`, {})}>${t("not_same")}<//></span>`}</div></div>`);
}

/** @param {{shown: any}} of */
function Timeline({shown}) {
  const end = useRef(/** @type {any} */ (null));
  const count = shown.items.length;
  useEffect(() => { end.current?.scrollIntoView({block: "end"}); }, [shown.conversation.ref, count]);
  let last = "";
  const since = shown.conversation.waiting_since ? Date.parse(shown.conversation.waiting_since) : Infinity;
  const rows = [];
  for (const item of shown.items) {
    const date = day(item.at);
    if (date !== last) rows.push(html`<li class="day" key=${`d${date}`}>${date}</li>`);
    last = date;
    const waits = Date.parse(item.at) >= since ? "waits" : "";
    if (item.message) rows.push(html`<${Said} key=${`m${item.message.id}`} m=${item.message} waits=${waits} />`);
    else if (SHOWN.has(item.event.type)) rows.push(html`<li class=${waits} key=${`e${item.event.seq}`}><span class="node small"></span><p class="event">${when(item.at)} ${named("event", item.event.type)} ${told(item.event.data)}</p></li>`);
  }
  return html`<div class="scroll" tabindex="0" role="log" aria-label=${shown.conversation.ref} id="timeline"><ol class="line ontime">${rows}</ol><div ref=${end}></div></div>`;
}

/** Events that a reader of the timeline wants to see beside the words. */
const SHOWN = new Set(["conversation.taken", "conversation.released", "conversation.assigned", "conversation.moved", "conversation.retagged", "conversation.status", "conversation.merged", "conversation.split", "conversation.reopened", "conversation.escalated", "conversation.spam", "deadline.breach", "deadline.warning"]);

/** @param {any} data */
const told = (data) => ["agent", "from", "to", "queue"].map((key) => data[key]).filter(Boolean).join(" · ");

/** @param {{m: any, waits: string}} of */
function Said({m, waits}) {
  const ours = m.direction === "out", note = m.direction === "note";
  const who = m.direction === "in" ? m.sender : m.agent || t("automatic");
  const quoted = m.full_text && m.full_text.trim() !== m.text.trim() ? m.full_text : "";
  return html`<li class=${waits}><span class=${`node ${ours ? "ours" : note ? "note" : ""}`}><${Icon} name=${note ? "note" : channelIcon(m.channel)} /></span>
    <p class="by"><b>${who}</b><span>${m.channel}</span>${m.class && m.class !== "first" ? html`<span class="tag">${named("class", m.class)}</span>` : null}
      ${m.automatic ? html`<span class="tag">${t("automatic")}</span>` : null}${m.unproven ? html`<span class="tag soon"><${Icon} name="unproved" small />${t("unproven")}</span>` : null}
      <time class="push" datetime=${m.sent_at}>${when(m.sent_at)}</time></p>
    ${m.subject && m.direction === "in" ? html`<p class="meta">${m.subject}</p>` : null}
    <div class=${`say ${ours ? "ours" : note ? "noted" : ""}`}>${m.text.split("\n").map((/** @type {string} */ line, /** @type {number} */ n) => html`${n ? html`<br />` : null}${line}`)}</div>
    ${quoted && html`<details class="meta"><summary><span class="turn"><${Icon} name="right" small /></span>${t("quoted")}</summary><div class="say">${quoted.split("\n").map((/** @type {string} */ line) => html`${line}<br />`)}</div></details>`}
    ${m.attachments.map((/** @type {any} */ f) => html`<span class="file"><${Icon} name="file" />${f.name || t("files")} <span class="meta">${f.type || ""}</span></span> `)}
    ${m.delivery && html`<p class=${`meta sent ${["failed", "bounced", "unknown"].includes(m.delivery.state) ? "bad" : ""}`}><${Icon} name=${m.delivery.state === "read" || m.delivery.state === "delivered" ? "read" : "check"} small />${named("delivery", m.delivery.state)} · ${m.delivery.to}${m.delivery.detail ? ` · ${m.delivery.detail}` : ""}</p>`}
  </li>`;
}

/** @param {{shown: any}} of */
function Composer({shown}) {
  const ref = shown.conversation.ref;
  const [kind, setKind] = useState("reply");
  const [text, setText] = useState(drafts.read(ref, "reply"));
  const [sending, setSending] = useState(false);
  const key = useRef(crypto.randomUUID());
  const field = useRef(/** @type {any} */ (null));
  const change = (/** @type {string} */ next) => { setText(next); drafts.keep(ref, kind, next); };
  const turn = (/** @type {string} */ next) => { setKind(next); setText(drafts.read(ref, next)); field.current?.focus(); };
  /** @param {string} then */
  const send = async (then) => {
    if (!text.trim() || sending) return;
    setSending(true);
    const done = kind === "note" ? await act("notes", {text}, key.current)
      : await act("replies", {text, seen: shown.seen, ...(then ? {then} : {})}, key.current);
    setSending(false);
    key.current = crypto.randomUUID();
    if (done) change("");
  };
  const to = shown.recipients;
  const blocked = kind === "reply" && to.problem;
  return html`<div class="composer" onKeyDown=${(/** @type {KeyboardEvent} */ e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); send(""); } }}>
    <div class="kind" role="tablist"><button role="tab" type="button" data-kind="reply" aria-selected=${kind === "reply"} onClick=${() => turn("reply")}>${t("reply")}</button>
      <button role="tab" type="button" data-kind="note" aria-selected=${kind === "note"} onClick=${() => turn("note")}>${t("note")}</button>
      ${kind === "reply" && html`<span class="to meta cut">${to.problem ? t("cannot", to.problem) : t("to", to.to, to.channel)}${to.cc.length ? ` · Cc ${to.cc.join(", ")}` : ""}</span>`}
      ${text && html`<span class="meta push">${t("draft_kept")}</span>`}</div>
    <textarea ref=${field} rows="3" aria-label=${t(kind)} placeholder=${t(kind === "note" ? "write_note" : "write_reply")} value=${text} disabled=${Boolean(blocked)} onInput=${(/** @type {any} */ e) => change(e.target.value)}></textarea>
    <div class="end">${kind === "note" ? html`<${Button} kind="main push" disabled=${sending} onClick=${() => send("")}>${t("keep_note")}<//>`
      : html`<span class="push"></span><${Button} kind="quiet" disabled=${sending || blocked} onClick=${() => send("pending")}>${t("send_wait")}<//><${Button} disabled=${sending || blocked} onClick=${() => send("solved")}>${t("send_solve")}<//><${Button} kind="main" icon="send" disabled=${sending || blocked} onClick=${() => send("")}>${t("send")}<//>`}</div>
  </div>`;
}
