// A day of outcomes: one row for each camera, 144 slots wide. Runs of equal slots are one rectangle, so that a page of
// rows is a few hundred shapes; colour and pattern both tell the state apart.

import { draw, make, pager, patterns, shares, words } from "./dom.js";

const SLOTS = 144;
const PER_PAGE = 50;
// A late picture was counted like any other.
const COUNTED = new Set(["counted", "late"]);
const STATES = ["counted", "late", "faulty", "missing", "failed", "waiting", "not_run"];

const host = document.getElementById("coverage");
const part = (name) => host.querySelector(`[data-${name}]`);
const clock = (slot) => `${String(Math.floor(slot / 6)).padStart(2, "0")}:${slot % 6}0`;

class Matrix {
  constructor(data) {
    this.data = data;
    this.page = 0;
    this.cursor = null;
    this.cameras = data.cameras.map(([id, name, letters]) => ({ id, name, letters, counted: this.#counted(letters) }));
    part("search").addEventListener("input", () => this.#show(0));
    part("gaps").addEventListener("change", () => this.#show(0));
    part("order").addEventListener("change", () => this.#show(0));
    const matrix = part("matrix");
    matrix.addEventListener("pointermove", (event) => this.#point(event));
    matrix.addEventListener("pointerleave", () => this.#leave());
    matrix.addEventListener("click", (event) => this.#open(event));
    matrix.addEventListener("keydown", (event) => this.#key(event));
    matrix.addEventListener("focusin", (event) => {
      const strip = event.target.closest(".strip");
      if (strip) this.#mark(strip, this.cursor?.slot ?? 0);
    });
    this.#shares();
    this.#show(0);
  }

  #counted(letters) {
    let counted = 0;
    for (let slot = 0; slot < this.data.due; slot += 1) counted += COUNTED.has(this.#state(letters, slot));
    return counted;
  }

  #state(letters, slot) {
    return this.data.meanings[letters[slot]][0];
  }

  #shares() {
    part("shares").replaceChildren(...shares(STATES, this.data.totals));
  }

  #kept() {
    const text = part("search").value.trim().toLowerCase();
    const gaps = part("gaps").checked;
    const kept = this.cameras.filter(
      ({ id, name, counted }) =>
        (!gaps || counted < this.data.due) && (!text || id.toLowerCase().includes(text) || name.toLowerCase().includes(text)),
    );
    return part("order").value === "worst" ? kept.sort((a, b) => a.counted - b.counted || (a.id < b.id ? -1 : 1)) : kept;
  }

  #show(page) {
    const kept = this.#kept();
    const pages = Math.max(1, Math.ceil(kept.length / PER_PAGE));
    this.page = Math.min(Math.max(page, 0), pages - 1);
    const shown = kept.slice(this.page * PER_PAGE, (this.page + 1) * PER_PAGE);
    this.byId = new Map(shown.map((camera) => [camera.id, camera]));
    const rows = shown.length ? shown.map((camera) => this.#row(camera)) : [make("p", { class: "none" }, "No camera fits.")];
    part("matrix").replaceChildren(this.#hours(), ...rows);
    part("pager").replaceChildren(...pager(this.page, pages, kept.length, (to) => this.#show(to)));
  }

  #hours() {
    const scale = make("div", { class: "scale", "aria-hidden": "true" });
    for (let hour = 0; hour < 24; hour += 3) scale.append(make("span", {}, `${String(hour).padStart(2, "0")}:00`));
    return make("div", { class: "line hours" }, make("span"), scale, make("span", { class: "part" }, "counted"));
  }

  #row({ id, name, letters, counted }) {
    const link = make("a", { class: "who", href: this.#address(id), title: `${name} · ${id}` }, make("b", {}, name), make("code", {}, id));
    const share = this.data.due ? Math.floor((100 * counted) / this.data.due) : 0;
    const strip = draw("svg", { class: "strip", tabindex: "0", role: "img", "data-id": id, "data-keys": "", "aria-label": `${name}: ${counted} of ${this.data.due} slots counted` });
    for (let from = 0; from < SLOTS; ) {
      const letter = letters[from];
      const due = from < this.data.due;
      const end = due ? this.data.due : SLOTS;
      let to = from + 1;
      while (to < end && letters[to] === letter) to += 1;
      const state = due ? this.#state(letters, from) : "future";
      // A hair wider than it is: the next rectangle covers it, and no seam shows between the two.
      const bounds = { x: `${(100 * from) / SLOTS}%`, width: `${(100 * (to - from)) / SLOTS + 0.06}%`, height: "100%" };
      strip.append(draw("rect", { ...bounds, class: `s-${state}` }));
      if (["faulty", "missing", "failed"].includes(state)) strip.append(draw("rect", { ...bounds, fill: `url(#p-${state})` }));
      from = to;
    }
    strip.append(draw("rect", { class: "pick", width: `${100 / SLOTS}%`, height: "100%", visibility: "hidden" }));
    return make("div", { class: "line" }, link, strip, make("span", { class: "part" }, `${share} %`));
  }

  #address(id, slot) {
    const day = this.data.day.replaceAll("-", "");
    const query = [host.dataset.query, slot === undefined ? "" : `slot=${day}T${clock(slot).replace(":", "")}Z`];
    return `${host.dataset.camera}${encodeURIComponent(id)}?${query.filter(Boolean).join("&")}`;
  }

  #mark(strip, slot) {
    this.#unmark();
    const pick = strip.querySelector(".pick");
    pick.setAttribute("x", `${(100 * slot) / SLOTS}%`);
    pick.setAttribute("visibility", "visible");
    this.cursor = { strip, slot };
    const { name, letters } = this.byId.get(strip.dataset.id);
    const [state, reason] = slot < this.data.due ? this.data.meanings[letters[slot]] : ["not due yet", ""];
    const said = make("span", { class: `verdict s-${state}` }, make("i"), words(state) + (reason ? `: ${words(reason)}` : ""));
    part("readout").replaceChildren(make("b", {}, `${clock(slot)} UTC`), " ", name, " ", said);
  }

  #unmark() {
    this.cursor?.strip.querySelector(".pick")?.setAttribute("visibility", "hidden");
  }

  #leave() {
    if (this.cursor && document.activeElement !== this.cursor.strip) this.#unmark();
  }

  #slotAt(strip, event) {
    const { left, width } = strip.getBoundingClientRect();
    return Math.min(Math.max(Math.floor(((event.clientX - left) / width) * SLOTS), 0), SLOTS - 1);
  }

  #point(event) {
    const strip = event.target.closest(".strip");
    if (strip) this.#mark(strip, this.#slotAt(strip, event));
  }

  #open(event) {
    const strip = event.target.closest(".strip");
    if (strip) location.href = this.#address(strip.dataset.id, this.#slotAt(strip, event));
  }

  #key(event) {
    const strip = event.target.closest(".strip");
    if (!strip) return;
    const slot = this.cursor?.strip === strip ? this.cursor.slot : 0;
    if (event.key === "Enter") {
      location.href = this.#address(strip.dataset.id, slot);
      return;
    }
    const line = strip.closest(".line");
    const other = { ArrowUp: line.previousElementSibling, ArrowDown: line.nextElementSibling }[event.key];
    const to = { ArrowLeft: slot - 1, ArrowRight: slot + 1, Home: 0, End: this.data.due - 1 }[event.key];
    if (other !== undefined) other?.querySelector("svg.strip")?.focus();
    else if (to !== undefined) this.#mark(strip, Math.min(Math.max(to, 0), SLOTS - 1));
    else return;
    event.preventDefault();
  }
}

patterns();
try {
  const answer = await fetch(host.dataset.url);
  const data = await answer.json();
  if (!answer.ok) part("matrix").replaceChildren(make("p", { class: "none" }, data.detail));
  else new Matrix(data);
} catch {
  part("matrix").replaceChildren(make("p", { class: "none" }, "The coverage could not be loaded: is the API server running, and are you signed in?"));
}
