// How is time said? With units, in the reader's language; what is left counts in the desk's business time.
import {ahead} from "./api.js";
import {t} from "./words.js";

/** The server's present instant, in milliseconds. */
export const now = () => Date.now() + ahead;

/** A span in words: "41 分", "3 时 35", "2 天"; under two minutes with seconds. @param {number} seconds */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) return t("seconds", whole);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return t("minutes", minutes);
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 && hours < 10 ? t("hours_minutes", hours, minutes % 60) : t("hours", hours);
  return t("days", Math.floor(hours / 24));
}

/**
 * The state of a promise now: late, soon, ontime or waiting, and the words beside its shape.
 * @param {any} c a conversation as the API shows it @param {number} fetched when, in milliseconds @param {number} at
 */
export function promised(c, fetched, at) {
  const p = c.promise;
  if (!p) return c.waiting_since ? {state: "ontime", word: "", left: t("no_promise")} : {state: "waiting", word: "", left: t(c.status === "open" ? "answered" : c.status)};
  const left = p.left_seconds - (p.open ? Math.max(0, (at - fetched) / 1000) : 0);
  if (left < 0) return {state: "late", word: t("over"), left: span(-left)};
  const soon = left < Math.min(900, Math.max(120, p.whole_seconds / 2));
  return {state: soon ? "soon" : "ontime", word: t("left"), left: span(left), stands: !p.open};
}

/** An instant for people: time today, else date and time. @param {string} iso */
export function when(iso) {
  const at = new Date(iso), today = new Date(now());
  const time = at.toLocaleTimeString(document.documentElement.lang, {hour: "2-digit", minute: "2-digit", hour12: false});
  return at.toDateString() === today.toDateString() ? time : `${day(iso)} ${time}`;
}

/** The day of an instant. @param {string} iso */
export const day = (iso) =>
  new Date(iso).toLocaleDateString(document.documentElement.lang, {month: "short", day: "numeric", weekday: "short"});
