// Four weeks of outcomes: one row for each camera, one bar for each day, divided into what became of its slots.

import { draw, make, pager, patterns, shares, words } from "./dom.js";

const PER_PAGE = 50;
const STATES = ["counted", "faulty", "missing", "failed", "waiting", "not_run"];
const host = document.getElementById("weeks");
const part = (name) => host.querySelector(`[data-${name}]`);
const day = (iso, options) => new Date(`${iso}T00:00Z`).toLocaleDateString("en-GB", { timeZone: "UTC", ...options });

class Weeks {
  constructor(data) {
    this.data = data;
    this.page = 0;
    this.width = data.states.length;
    this.cameras = data.cameras.map(([id, name, numbers]) => ({ id, name, numbers, share: this.#share(numbers) }));
    part("search").addEventListener("input", () => this.#show(0));
    part("gaps").addEventListener("change", () => this.#show(0));
    part("order").addEventListener("change", () => this.#show(0));
    const matrix = part("matrix");
    matrix.addEventListener("pointermove", (event) => this.#point(event));
    matrix.addEventListener("click", (event) => this.#open(event));
    matrix.addEventListener("keydown", (event) => this.#key(event));
    matrix.addEventListener("focusin", (event) => {
      const strip = event.target.closest(".strip");
      if (strip) this.#mark(strip, this.cursor?.day ?? this.data.days.length - 1);
    });
    part("shares").replaceChildren(...shares(STATES, data.totals));
    this.#show(0);
  }

  /** The numbers of one day, by state. */
  #of(numbers, index) {
    return Object.fromEntries(this.data.states.map((state, place) => [state, numbers[index * this.width + place]]));
  }

  #share(numbers) {
    let counted = 0;
    let all = 0;
    this.data.days.forEach((_, index) => {
      const found = this.#of(numbers, index);
      counted += found.counted;
      all += STATES.reduce((sum, state) => sum + found[state], 0);
    });
    return all ? counted / all : 0;
  }

  #show(page) {
    const text = part("search").value.trim().toLowerCase();
    const gaps = part("gaps").checked;
    const kept = this.cameras.filter(
      ({ id, name, share }) => (!gaps || share < 1) && (!text || id.toLowerCase().includes(text) || name.toLowerCase().includes(text)),
    );
    if (part("order").value === "worst") kept.sort((a, b) => a.share - b.share || (a.id < b.id ? -1 : 1));
    const pages = Math.max(1, Math.ceil(kept.length / PER_PAGE));
    this.page = Math.min(Math.max(page, 0), pages - 1);
    const shown = kept.slice(this.page * PER_PAGE, (this.page + 1) * PER_PAGE);
    this.byId = new Map(shown.map((camera) => [camera.id, camera]));
    const rows = shown.length ? shown.map((camera) => this.#row(camera)) : [make("p", { class: "none" }, "No camera fits.")];
    part("matrix").replaceChildren(this.#scale(), ...rows);
    part("pager").replaceChildren(...pager(this.page, pages, kept.length, (to) => this.#show(to)));
  }

  #scale() {
    const scale = make("div", { class: "scale weeks", "aria-hidden": "true" });
    this.data.days.forEach((iso, index) => {
      if (index % 7 === 0) scale.append(make("span", {}, day(iso, { day: "numeric", month: "short" })));
    });
    return make("div", { class: "line hours" }, make("span"), scale, make("span", { class: "part" }, "counted"));
  }

  #row({ id, name, numbers, share }) {
    const link = make("a", { class: "who", href: this.#camera(id), title: `${name} · ${id}` }, make("b", {}, name), make("code", {}, id));
    const told = `${Math.floor(share * 100)} %`;
    const strip = draw("svg", { class: "strip days", tabindex: "0", role: "img", "data-id": id, "data-keys": "", "aria-label": `${name}: ${told} of the slots of four weeks counted` });
    const step = 100 / this.data.days.length;
    this.data.days.forEach((_, index) => {
      const found = this.#of(numbers, index);
      const all = STATES.reduce((sum, state) => sum + found[state], 0);
      let top = 100;
      for (const state of STATES) {
        if (!found[state]) continue;
        const height = (100 * found[state]) / all;
        top -= height;
        const bounds = { x: `${(index * step).toFixed(3)}%`, y: `${top.toFixed(2)}%`, width: `${(step * 0.9).toFixed(3)}%`, height: `${height.toFixed(2)}%` };
        strip.append(draw("rect", { ...bounds, class: `s-${state}` }));
        if (["faulty", "missing", "failed"].includes(state)) strip.append(draw("rect", { ...bounds, fill: `url(#p-${state})` }));
      }
    });
    strip.append(draw("rect", { class: "pick", width: `${step * 0.9}%`, y: "0", height: "100%", visibility: "hidden" }));
    return make("div", { class: "line tall" }, link, strip, make("span", { class: "part" }, told));
  }

  #camera(id) {
    return `${host.dataset.camera}${encodeURIComponent(id)}?${host.dataset.query}`;
  }

  #mark(strip, index) {
    this.cursor?.strip.querySelector(".pick")?.setAttribute("visibility", "hidden");
    const pick = strip.querySelector(".pick");
    pick.setAttribute("x", `${(100 * index) / this.data.days.length}%`);
    pick.setAttribute("visibility", "visible");
    this.cursor = { strip, day: index };
    const { name, numbers } = this.byId.get(strip.dataset.id);
    const found = this.#of(numbers, index);
    const said = STATES.filter((state) => found[state]).map((state) => make("span", { class: `verdict s-${state}` }, make("i"), `${found[state]} ${words(state)}`));
    if (found.late) said.push(make("span", {}, `${found.late} came late`));
    const date = day(this.data.days[index], { weekday: "short", day: "numeric", month: "short" });
    part("readout").replaceChildren(make("b", {}, date), name, ...(said.length ? said : [make("span", {}, "nothing was due")]));
  }

  #point(event) {
    const strip = event.target.closest(".strip");
    if (!strip) return;
    const { left, width } = strip.getBoundingClientRect();
    const index = Math.floor(((event.clientX - left) / width) * this.data.days.length);
    this.#mark(strip, Math.min(Math.max(index, 0), this.data.days.length - 1));
  }

  /** A click leads to the day, where each slot tells its reason. */
  #open(event) {
    if (event.target.closest(".strip") && this.cursor) location.href = this.#day();
  }

  #day() {
    return `${host.dataset.day}&day=${this.data.days[this.cursor.day]}&q=${encodeURIComponent(this.cursor.strip.dataset.id)}`;
  }

  #key(event) {
    const strip = event.target.closest(".strip");
    if (!strip) return;
    const at = this.cursor?.strip === strip ? this.cursor.day : 0;
    const last = this.data.days.length - 1;
    const line = strip.closest(".line");
    const other = { ArrowUp: line.previousElementSibling, ArrowDown: line.nextElementSibling }[event.key];
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (event.key === "Enter") location.href = this.#day();
    else if (other !== undefined) other?.querySelector("svg.strip")?.focus();
    else if (to !== undefined) this.#mark(strip, Math.min(Math.max(to, 0), last));
    else return;
    event.preventDefault();
  }
}

const say = (text) => part("matrix").replaceChildren(make("p", { class: "none" }, text));
patterns();
try {
  const answer = await fetch(host.dataset.url);
  const data = await answer.json();
  if (answer.ok) new Weeks(data);
  else say(data.detail);
} catch {
  say("The coverage could not be loaded: is the API server running, and are you signed in?");
}
