// What is known beside the conversation: why it is here, its promises, and whom it is with.
import {Icon, html} from "../html.js";
import {open, talk} from "../store.js";
import {when} from "../time.js";
import {named, t} from "../words.js";
import {channelIcon} from "./desk.js";

const PROOF = new Set(["verified", "authenticated", "signed", "platform", "proved", "pass", "account"]);

export function Side() {
  const shown = talk.value;
  if (!shown) return html`<aside class="side"><div class="bar"></div></aside>`;
  const c = shown.conversation, who = shown.contact;
  const first = shown.why[0];
  return html`<aside class="side" aria-label=${t("why")}><div class="bar"><h2>${t("why")}</h2></div><div class="scroll" tabindex="0" role="group" aria-label=${t("why")}>
    <section><dl class="steps">
      <div><dt>${t("retag")}</dt><dd><b>${named("type", c.issue_type)}</b><span class="meta">${c.type_by === "person" ? t("by_person") : first?.tagging?.confidence !== undefined ? t("sure", Math.round(first.tagging.confidence * 100)) : ""}</span></dd></div>
      <div><dt>${t("move")}</dt><dd><b>${named("queue", c.queue)}</b><span class="meta">${c.rule ? t("rule", c.rule) : c.pinned ? t("by_person") : ""}</span></dd></div>
      ${shown.why.slice(-1).map((/** @type {any} */ w) => html`<div><dt>${c.ref}</dt><dd><b>${t("placed_by", named("", w.method))}</b>${w.trace.slice(0, 8).map((/** @type {string} */ line) => html`<span class="meta">${line}</span>`)}</dd></div>`)}
    </dl></section>
    <section class="person"><h3>${t("promises")}</h3><ul>${shown.clocks.map((/** @type {any} */ k) => html`<li class="clock-line"><b>${named("metric", k.metric)}</b> <span class="meta">${named("state", k.state)}${k.due_at ? ` · ${when(k.due_at)}` : ""}</span></li>`)}</ul></section>
    <section class="person"><div class="id"><span class="face customer" aria-hidden="true">${(who.name || "?").slice(0, 1)}</span><h3>${who.name || t("customer")}</h3></div>
      <ul class="handles">${who.handles.map((/** @type {any} */ h) => html`<li><${Icon} name=${channelIcon(h.scope === "email" ? "mail" : h.scope)} /><span class="cut">${h.address}</span>
        <span class=${`proof ${PROOF.has(h.evidence) ? "" : "none"}`}><${Icon} name=${PROOF.has(h.evidence) ? "proved" : "unproved"} />${PROOF.has(h.evidence) ? t("proved") : h.evidence || t("claimed")}</span></li>`)}</ul>
      <dl class="facts">${Object.entries(who.attributes).map(([key, value]) => html`<div><dt>${key}</dt><dd class="cut">${value}</dd></div>`)}</dl>
      <h4>${t("earlier")}</h4><ul class="past">${shown.others.filter((/** @type {any} */ o) => o.ref !== c.ref).map((/** @type {any} */ o) => html`<li><a href=${`#${o.ref}`} onClick=${(/** @type {Event} */ e) => { e.preventDefault(); open(o.ref); }}><span class="ref">${o.ref}</span><span class="cut">${named("type", o.issue_type)}</span><span class="meta push">${t(o.status)}</span></a></li>`)}</ul></section>
  </div></aside>`;
}
