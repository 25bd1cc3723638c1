// The live-chat page: sends what the visitor writes, shows what the desk answers. All words are shown as text only.
"use strict";
(() => {
  const say = document.body.dataset;
  const base = location.pathname.replace(/\/+$/, "");
  const at = (name) => document.getElementById(name);
  const log = at("log"), form = at("form"), text = at("text"), send = at("send"), input = at("picture");
  const shown = new Map(); // by number (as text) and by the page's own id

  const element = (tag, name, words) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (words !== undefined) made.textContent = words;
    return made;
  };

  const state = (words) => { at("state").textContent = words; };

  // Who the visitor is: a token of our own beside the cookie, for browsers that give embedded pages no cookies. Where
  // they give them no storage either, the widget keeps it in the storage of the page around (a configured origin: nobody
  // else may frame us); without a widget it lives as long as this page.
  const keeper = (storage, name) => ({
    read: () => { try { return storage().getItem(`${base} ${name}`) || ""; } catch { return ""; } },
    write: (value) => { try { storage().setItem(`${base} ${name}`, value); } catch { /* not allowed here */ } },
  });
  const visitor = keeper(() => localStorage, "visitor"), unsent = keeper(() => sessionStorage, "unsent");
  let token = visitor.read() || say.token;
  let around = ""; // the origin of the page around, once its widget has answered
  const keep = () => {
    visitor.write(token);
    if (around) parent.postMessage({ omnirouter: "keep", token }, around);
  };
  const introduce = () => new Promise((resolve) => {
    if (parent === window || visitor.read()) { resolve(); return; }
    addEventListener("message", (event) => {
      if (event.source !== parent || event.data?.omnirouter !== "visitor") return;
      around = event.origin;
      token = event.data.token || token;
      resolve();
    });
    parent.postMessage({ omnirouter: "hello" }, "*");
    setTimeout(resolve, 1000);
  });
  const introduced = introduce().then(keep);
  const named = (headers) => ({ ...headers, "x-chat-token": token });
  const renew = async (answer) => { // the desk does not know this token any more, and gives another
    try { token = (await answer.json()).token || token; } catch { /* no answer of the desk's */ }
    keep();
  };

  const bubble = (mine, words, when, files) => {
    const box = element("article", mine ? "message mine" : "message");
    const clock = new Date(when).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    box.append(element("div", "who", `${mine ? say.you : say.team} · ${clock}`));
    if (words) box.append(element("p", "words", words));
    for (const file of files) box.append(file);
    log.append(box);
    log.scrollTop = log.scrollHeight;
    return box;
  };

  const download = async (address, name) => { // with the token, which a plain link cannot carry
    try {
      const answer = await fetch(address, { headers: named({}) });
      if (!answer.ok) throw new Error(String(answer.status));
      const link = element("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = name;
      link.click();
    } catch { state(say.lost); }
  };

  const fileOf = (line, file, index) => {
    const web = /^https?:\/\//.test(file.url);
    if (!web && !file.kept) return element("span", "file", file.name);
    const link = element("a", "file", file.name);
    link.href = web ? file.url : `${base}/files/${line.number}/${index}`;
    link.rel = "noopener noreferrer nofollow";
    link.target = "_blank";
    if (!web) link.addEventListener("click", (event) => { event.preventDefault(); download(link.href, file.name); });
    return link;
  };

  const receive = (line) => {
    const known = shown.get(String(line.number)) || (line.mine && shown.get(line.id));
    if (known) {
      if (line.mine && line.text) { // as the desk has it, without secrets
        const words = known.querySelector(".words");
        if (words) words.textContent = line.text;
      }
      shown.set(String(line.number), known);
      return;
    }
    const files = line.files.map((file, index) => fileOf(line, file, index));
    const box = bubble(line.mine, line.text, line.at, files);
    shown.set(String(line.number), box);
    if (line.mine) shown.set(line.id, box);
  };

  let last = "0";
  const told = { // what the desk tells, by the kind of event
    message: (line) => receive(line),
    hours: ({ closed }) => {
      at("hours").textContent = closed;
      at("hours").hidden = !closed;
    },
  };

  const hear = (event) => {
    const fields = {};
    for (const line of event.split("\n")) {
      const colon = line.indexOf(": ");
      if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
    }
    if (fields.id) last = fields.id;
    if (fields.data && told[fields.event]) told[fields.event](JSON.parse(fields.data));
  };

  const listen = async () => {
    try {
      const answer = await fetch(`${base}/stream`, { headers: named({ "last-event-id": last }), cache: "no-store" });
      if (answer.status === 401) await renew(answer);
      if (!answer.ok) throw new Error(String(answer.status));
      if (at("state").textContent === say.lost) state("");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        const events = (rest + value).split("\n\n");
        rest = events.pop();
        events.forEach(hear);
      }
    } catch { /* no connection: again below */ }
    if (!at("state").textContent) state(say.lost);
    setTimeout(listen, 2000);
  };

  const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

  const base64 = (file) => new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });

  // The answer to a message, or null without a connection. One that did not arrive may be sent again under its id.
  const post = async (message) => {
    send.disabled = true;
    state(say.sending);
    const body = JSON.stringify(message);
    const once = async () => {
      const headers = named({ "content-type": "application/json" });
      try { return await fetch(`${base}/messages`, { method: "POST", headers, body }); } catch { return null; }
    };
    await introduced;
    let answer = await once();
    if (answer && answer.status === 401) {
      await renew(answer);
      answer = await once();
    }
    send.disabled = false;
    const refused = { 202: "", 413: say.large, 400: message.pictures.length ? say.large : say.refused, 429: say.slow };
    state(answer ? refused[answer.status] ?? say.refused : say.unsent);
    return answer;
  };

  const showPicture = async (message, box) => {
    const answer = await post(message);
    if (answer && answer.status === 202) return;
    const again = element("button", "", say.failed);
    again.type = "button";
    again.addEventListener("click", () => { again.remove(); showPicture(message, box); });
    box.append(again);
  };

  const sendPicture = async (picture) => {
    const message = { id: newId(), text: "", pictures: [{ name: picture.name, content: await base64(picture) }] };
    const image = element("img");
    image.alt = picture.name;
    image.src = URL.createObjectURL(picture);
    const box = bubble(true, "", Date.now(), [image]);
    shown.set(message.id, box);
    await showPicture(message, box);
  };

  // Words stay in the box until the desk has them. The same words keep their id, so that sending again doubles nothing.
  let draft = { id: newId(), text: "" };
  try { draft = JSON.parse(unsent.read()) || draft; } catch { /* none is kept */ }
  if (draft.text && !text.value) text.value = draft.text;
  text.addEventListener("input", () => unsent.write(JSON.stringify({ id: newId(), text: text.value })));

  const sendWords = async (words) => {
    if (words !== draft.text) draft = { id: newId(), text: words };
    unsent.write(JSON.stringify(draft));
    text.readOnly = true;
    const answer = await post({ ...draft, pictures: [] });
    text.readOnly = false;
    text.focus();
    if (!answer || answer.status !== 202) return;
    const known = shown.get(draft.id); // the stream may have been faster
    if (!known) shown.set(draft.id, bubble(true, words, Date.now(), []));
    text.value = "";
    draft = { id: newId(), text: "" };
    unsent.write("");
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = text.value.trim();
    if (words && !send.disabled) sendWords(words);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  input.addEventListener("change", () => {
    const [picture] = input.files;
    input.value = "";
    if (!picture) return;
    if (picture.size > Number(say.largest)) { state(say.large); return; }
    sendPicture(picture);
  });
  introduced.then(listen);
})();
