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

  const fileOf = (line, file, index) => {
    const web = /^https?:\/\//.test(file.url);
    if (!web && !file.kept) return element("span", "file", file.name);
    const link = element("a", "file", file.name);
    link.href = web ? file.url : `${base}/files/${line.number}/${index}`;
    link.rel = "noopener noreferrer nofollow";
    link.target = "_blank";
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
    shown.set(String(line.number), bubble(line.mine, line.text, line.at, files));
  };

  const listen = () => {
    const source = new EventSource(`${base}/stream`);
    source.addEventListener("open", () => state(""));
    source.addEventListener("message", (event) => receive(JSON.parse(event.data)));
    source.addEventListener("hours", (event) => {
      const { closed } = JSON.parse(event.data);
      at("hours").textContent = closed;
      at("hours").hidden = !closed;
    });
    source.addEventListener("error", () => {
      state(say.lost);
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    });
  };

  const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

  const base64 = (file) => new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });

  const post = async (message, box) => {
    send.disabled = true;
    state(say.sending);
    let answer = null;
    try {
      const headers = { "content-type": "application/json" };
      answer = await fetch(`${base}/messages`, { method: "POST", headers, body: JSON.stringify(message) });
    } catch { /* no connection: the button below tries again, under the same id */ }
    send.disabled = false;
    if (answer && answer.status === 202) { state(""); return; }
    if (answer && answer.status === 401) { location.reload(); return; }
    state(answer && answer.status === 429 ? say.slow : answer && (answer.status === 413 || answer.status === 400) ? say.large : "");
    const again = element("button", "", say.failed);
    again.type = "button";
    again.addEventListener("click", () => { again.remove(); post(message, box); });
    box.append(again);
  };

  const submit = async (words, picture) => {
    const message = { id: newId(), text: words, pictures: [] };
    const files = [];
    if (picture) {
      message.pictures.push({ name: picture.name, content: await base64(picture) });
      const image = element("img");
      image.alt = picture.name;
      image.src = URL.createObjectURL(picture);
      files.push(image);
    }
    const box = bubble(true, words, Date.now(), files);
    shown.set(message.id, box);
    await post(message, box);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = text.value.trim();
    if (!words || send.disabled) return;
    text.value = "";
    submit(words, null);
    text.focus();
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
    submit("", picture);
  });
  listen();
})();
