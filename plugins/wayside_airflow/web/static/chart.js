// A line chart in SVG: one line for each class, a strip below that says how many cameras stand behind each point.
// Whose data is of something else says what the numbers are (`unit`), what the strip tells (`strip`), what stands behind
// each point (`behind`) and which points nobody knows (`gaps`).
// Drawn by hand because Plotly's bundle is several megabytes and writes inline styles, which the pages forbid.

import { draw, make } from "./dom.js";

const EDGE = { left: 62, right: 24, top: 30, strip: 22, axis: 24 };
const DAILY = 1440;
// From so many hours on the axis tells months.
const LONG = 100 * 24;
// Up to so many points are marked one by one.
const FEW = 12;

/** A number with as many digits as are of use; a dash where it is not known. */
export const number = (value) => {
  if (value == null) return "–";
  const size = Math.abs(value);
  return value.toLocaleString("en", { maximumFractionDigits: size >= 1000 ? 0 : size >= 10 ? 1 : 2 });
};

const date = (iso) => new Date(iso).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

/** A UTC time for people: the time of day, with the day before it where asked. */
export const when = (iso, { day = false } = {}) => `${day ? `${date(iso)} ` : ""}${iso.slice(11, 16)}`;

/** Round steps for an axis from 0 to `top`: 1, 2 or 5 times a power of ten, about four of them. */
const steps = (top) => {
  const raw = Math.max(top, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= raw) * power;
  return Array.from({ length: Math.ceil(Math.max(top, 1) / step) + 1 }, (_, index) => index * step);
};

/** A path through the points; a missing value lifts the pen, a lone point becomes a dot. */
const path = (values, x, y) => {
  let text = "";
  values.forEach((value, index) => {
    if (value == null) return;
    const alone = values[index - 1] == null && values[index + 1] == null;
    text += `${values[index - 1] == null ? "M" : "L"}${x(index).toFixed(1)} ${y(value).toFixed(1)}${alone ? "h.01" : ""}`;
  });
  return text;
};

export class LineChart {
  constructor(host, data) {
    this.host = host;
    this.data = data;
    this.off = new Set();
    this.perCamera = false;
    this.at = null;
    this.plot = document.createElement("div");
    this.plot.className = "plot";
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.plot.dataset.keys = "";
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "group");
    this.plot.setAttribute("aria-label", "Line chart; read the points with the arrow keys");
    this.said = document.createElement("p");
    this.said.className = "hidden";
    this.said.setAttribute("aria-live", "polite");
    host.replaceChildren(this.#legend(), this.plot, this.said);
    this.plot.addEventListener("pointermove", (event) => this.#point(event));
    this.plot.addEventListener("pointerleave", () => this.#mark(null));
    this.plot.addEventListener("blur", () => this.#mark(null));
    this.plot.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#redraw()).observe(this.plot);
  }

  #names() {
    return Object.keys(this.data.classes).filter((name) => !this.off.has(name));
  }

  #value(name, index) {
    const value = this.data.classes[name][index];
    if (!this.perCamera || value == null) return value;
    // The gaps of a daily series are filled, so that all of its cameras stand behind a sum.
    const behind = this.data.step_minutes === DAILY ? this.data.cameras[index] : this.data.counted[index];
    return behind ? value / behind : null;
  }

  #legend() {
    const legend = document.createElement("div");
    legend.className = "legend";
    for (const name of Object.keys(this.data.classes)) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = `chip c-${name}`;
      button.setAttribute("aria-pressed", "true");
      button.append(document.createElement("i"), name);
      button.addEventListener("click", () => {
        const on = this.off.delete(name);
        if (!on) this.off.add(name);
        button.setAttribute("aria-pressed", String(on));
        this.#redraw();
      });
      const only = (on) => () => this.#single(on ? name : null);
      button.addEventListener("mouseenter", only(true));
      button.addEventListener("mouseleave", only(false));
      button.addEventListener("focus", only(true));
      button.addEventListener("blur", only(false));
      legend.append(button);
    }
    if (this.data.outliers?.some(Boolean)) {
      const ring = draw("svg", { width: 12, height: 12, "aria-hidden": "true" }, draw("circle", { class: "odd", cx: 6, cy: 6, r: 5 }));
      legend.append(make("span", { class: "key" }, ring, "outlier: a day apart, or a new level"));
    }
    if (this.data.gaps?.some(Boolean)) {
      const box = draw("svg", { width: 14, height: 12, "aria-hidden": "true" }, draw("rect", { class: "gap", width: 14, height: 12 }));
      legend.append(make("span", { class: "key" }, box, "not watched: not zero, not known"));
    }
    if (Math.max(...this.data.cameras) > 1) legend.append(this.#scale());
    return legend;
  }

  /** Let one line stand out, for eyes that do not tell the colours apart; null shows all alike. */
  #single(name) {
    for (const line of this.plot.querySelectorAll(".line")) {
      line.classList.toggle("faint", name !== null && !this.off.has(name) && !line.classList.contains(`c-${name}`));
    }
  }

  #scale() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "toggle";
    button.textContent = "Per camera";
    button.title =
      this.data.step_minutes === DAILY
        ? "Divide by the number of cameras of each day: new cameras then push no line up"
        : "Divide by the number of pictures that were counted: gaps then pull no line down";
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      this.perCamera = !this.perCamera;
      button.setAttribute("aria-pressed", String(this.perCamera));
      this.#redraw();
    });
    return button;
  }

  #redraw() {
    const { width, height } = this.plot.getBoundingClientRect();
    if (!width || !height) return;
    const last = this.data.times.length - 1;
    const series = this.#names().map((name) => [name, this.data.times.map((_, index) => this.#value(name, index))]);
    const marks = steps(Math.max(0, ...series.flatMap(([, values]) => values.map((value) => value ?? 0))));
    const floor = height - EDGE.strip - EDGE.axis;
    this.x = (index) => EDGE.left + ((width - EDGE.left - EDGE.right) * index) / Math.max(last, 1);
    this.y = (value) => floor - ((floor - EDGE.top) * value) / marks.at(-1);
    this.width = width;
    const svg = draw("svg", { width, height, "aria-hidden": "true" });
    svg.append(...this.#gaps(floor));
    svg.append(...this.#axes(marks, width, floor), ...this.#strip(floor + 6));
    for (const [name, values] of series) svg.append(draw("path", { class: `line c-${name}`, d: path(values, this.x, this.y) }));
    svg.append(...this.#dots(series), ...this.#outliers());
    this.cursor = draw("g", { class: "cursor" });
    svg.append(this.cursor);
    this.plot.replaceChildren(svg, this.tip);
    this.floor = floor;
    this.#mark(this.at);
  }

  #axes(marks, width, floor) {
    const digits = marks[1] < 1 ? 1 : 0;
    const rows = marks.flatMap((value) => [
      draw("line", { class: "rule", x1: EDGE.left, x2: width - EDGE.right, y1: this.y(value), y2: this.y(value) }),
      draw("text", { class: "tick", x: EDGE.left - 8, y: this.y(value) + 4, "text-anchor": "end" }, value.toLocaleString("en", { maximumFractionDigits: digits + 1 })),
    ]);
    const unit = draw("text", { class: "tick", x: EDGE.left, y: 14 }, this.#unit());
    return [unit, ...rows, ...this.#times(floor + EDGE.strip + 16)];
  }

  /** What the numbers on the left are. */
  #unit() {
    if (this.data.unit) return this.data.unit;
    const step = this.data.step_minutes;
    const span = step === DAILY ? "a day" : "a slot";
    const what = this.perCamera ? `objects in ${span} of a camera` : `objects in ${span}`;
    return step === 60 ? `${what}, hourly mean` : what;
  }

  #times(y) {
    const { times } = this.data;
    const hours = (times.length * this.data.step_minutes) / 60;
    const room = (this.width - EDGE.left - EDGE.right) / 76;
    const name = hours > LONG ? this.#months(hours / 730, room) : this.#hours(hours, room);
    return times.flatMap((time, index) => {
      const text = name(time);
      if (!text) return [];
      const x = this.x(index);
      return [
        draw("line", { class: "rule", x1: x, x2: x, y1: y - 15, y2: y - 11 }),
        draw("text", { class: "tick", x, y, "text-anchor": x > this.width - 32 ? "end" : "middle" }, text),
      ];
    });
  }

  /** Returns what to write at a time, if anything: each so many minutes or hours from midnight. */
  #hours(hours, room) {
    const minutes = [1, 5, 10, 15, 30].find((step) => (60 * hours) / step <= room);
    const every = minutes ?? 60 * ([1, 2, 3, 4, 6, 12, 24, 48, 96, 168, 336].find((step) => hours / step <= room) ?? 672);
    const origin = Date.parse(`${this.data.times[0].slice(0, 10)}T00:00Z`);
    return (time) => {
      if (((Date.parse(time) - origin) / 60_000) % every) return "";
      return time.endsWith("T00:00Z") ? date(time) : when(time);
    };
  }

  /** The same for the first of each so many months, the year with the first of them and each January. */
  #months(months, room) {
    const every = [1, 2, 3, 6].find((step) => months / step <= room) ?? 12;
    let told = false;
    return (time) => {
      const at = new Date(time);
      if (at.getUTCDate() !== 1 || at.getUTCHours() || at.getUTCMinutes() || at.getUTCMonth() % every) return "";
      const year = told && at.getUTCMonth() ? {} : { year: "numeric" };
      told = true;
      return at.toLocaleDateString("en-GB", { month: "short", ...year, timeZone: "UTC" });
    };
  }

  #strip(top) {
    const most = Math.max(1, ...this.data.cameras);
    const height = EDGE.strip - 10;
    const step = this.x(1) - this.x(0);
    const text = this.data.times
      .map((_, index) => {
        const share = (this.data.counted[index] ?? 0) / most;
        const tall = height * share;
        return `M${(this.x(index) - step / 2).toFixed(1)} ${(top + height).toFixed(1)}v${(-tall).toFixed(1)}h${step.toFixed(2)}v${tall.toFixed(1)}z`;
      })
      .join("");
    return [draw("path", { class: "counted", d: text }), draw("text", { class: "tick", x: EDGE.left - 8, y: top + height - 1, "text-anchor": "end" }, this.data.strip ?? "counted")];
  }

  /** Of few points each is marked: a line between two of them would say more than is known. */
  #dots(series) {
    if (this.data.times.length > FEW) return [];
    return series.flatMap(([name, values]) =>
      values.flatMap((value, index) => (value == null ? [] : [draw("circle", { class: `dot c-${name}`, cx: this.x(index), cy: this.y(value), r: 3.5 })])),
    );
  }

  /** Shade what nobody knows: a line that is interrupted could also be one that is hard to see. */
  #gaps(floor) {
    const half = (this.x(1) - this.x(0)) / 2;
    const inside = (x) => Math.min(Math.max(x, EDGE.left), this.width - EDGE.right).toFixed(1);
    const d = (this.data.gaps ?? []).map((gap, index) => (gap ? `M${inside(this.x(index) - half)} ${EDGE.top}H${inside(this.x(index) + half)}V${floor}H${inside(this.x(index) - half)}z` : ""));
    return d.some(Boolean) ? [draw("path", { class: "gap", d: d.join("") })] : [];
  }

  #point(event) {
    const left = event.clientX - this.plot.getBoundingClientRect().left;
    const last = this.data.times.length - 1;
    const index = Math.round(((left - EDGE.left) / (this.width - EDGE.left - EDGE.right)) * last);
    this.#mark(Math.min(Math.max(index, 0), last));
  }

  #key(event) {
    const last = this.data.times.length - 1;
    const from = this.at ?? last;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last, Escape: null }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#mark(to === null ? null : Math.min(Math.max(to, 0), last));
    this.said.textContent = this.at === null ? "" : this.tip.innerText.replaceAll("\n", ", ");
  }

  /** Name a point: a day, or a time with its day; and what is odd about it. */
  #title(index) {
    const time = this.data.times[index];
    const odd = { AO: ", a day apart", LS: ", the level changes" }[this.data.outliers?.[index]] ?? "";
    if (this.data.step_minutes === DAILY) {
      const named = new Date(time).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
      return named + odd;
    }
    return `${when(time, { day: true })} UTC${this.data.step_minutes === 60 && !this.data.unit ? ", hourly mean" : ""}`;
  }

  /** What stands behind the numbers at one point. */
  #behind(index) {
    if (this.data.behind) return this.data.behind[index];
    const { cameras, counted, imputed_share: imputed } = this.data;
    if (cameras[index] == null) return "not run";
    const all = number(Math.round(cameras[index]));
    return imputed ? `${all} cameras, ${number(100 * imputed[index])} % filled in` : `${number(Math.round(counted[index]))} of ${all} cameras counted`;
  }

  /** Mark the days that the adjustment took for outliers, on the first line that is shown. */
  #outliers() {
    const shown = this.#names()[0];
    return (this.data.outliers ?? []).flatMap((kind, index) => {
      const value = kind && shown ? this.#value(shown, index) : null;
      return value == null ? [] : [draw("circle", { class: "odd", cx: this.x(index), cy: this.y(value), r: 5 })];
    });
  }

  /** Show the values at one point, beside it; null hides them. */
  #mark(index) {
    this.at = index;
    this.tip.hidden = index === null;
    this.cursor?.replaceChildren();
    if (index === null || !this.cursor) return;
    const x = this.x(index);
    this.cursor.append(draw("line", { x1: x, x2: x, y1: EDGE.top, y2: this.floor }));
    const title = document.createElement("b");
    title.textContent = this.#title(index);
    const lines = [title];
    for (const name of this.#names()) {
      const value = this.#value(name, index);
      if (value != null) this.cursor.append(draw("circle", { class: `c-${name}`, cx: x, cy: this.y(value), r: 4 }));
      const line = document.createElement("span");
      line.className = `chip c-${name}`;
      const figure = document.createElement("b");
      figure.textContent = number(value);
      line.append(document.createElement("i"), `${name} `, figure);
      lines.push(line);
    }
    const base = document.createElement("small");
    base.textContent = this.#behind(index);
    this.tip.replaceChildren(...lines, base);
    const right = x > this.width / 2;
    this.tip.style.left = right ? "" : `${x + 12}px`;
    this.tip.style.right = right ? `${this.width - x + 12}px` : "";
  }
}
