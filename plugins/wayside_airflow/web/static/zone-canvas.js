// The picture with the zones on it, in SVG: what is drawn is drawn here, what is done with it is in zone-pointer.js and
// zone-keys.js. The drawing's coordinates are the pixels of the still; sizes of marks follow the screen.

import { draw, make } from "./dom.js";
import { centre, distance, forward, middle } from "./zone-geometry.js";

const COLOURS = 6;
/** Pixels on the screen. */
const MARK = { corner: 6.5, ghost: 4.5, text: 13, arrow: 34, hit: 12, coarse: 22, ghosts: 46 };

const percent = (value) => `${(100 * value).toFixed(1)} %`;

/** A place in the frame, for people. */
export const where = ([x, y]) => `${percent(x)} from the left, ${percent(y)} from the top`;

export class Canvas {
  /**
   * @param {HTMLElement} stage holds the still.
   * @param {Drawing} drawing what is drawn; each change of it is shown.
   */
  constructor(stage, drawing, [width, height]) {
    this.drawing = drawing;
    this.pixels = [width, height];
    this.draft = null;
    this.corner = null;
    this.coarse = matchMedia("(pointer: coarse)").matches;
    this.svg = draw("svg", {
      class: "drawing",
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: "none",
      role: "application",
      "aria-label": "Zones on the picture. Tab moves through zones and corners, arrow keys move them.",
      "data-keys": "",
      tabindex: "0",
    });
    // As tall as the window allows, whatever its shape.
    stage.style.setProperty("--shape", width / height);
    this.paths = draw("path", { class: "walked" });
    this.layer = draw("g");
    this.svg.append(this.paths, this.layer);
    stage.append(this.svg);
    this.said = make("p", { class: "hidden", "aria-live": "polite" });
    stage.after(this.said);
    drawing.addEventListener("change", () => this.show());
    new ResizeObserver(() => this.show()).observe(stage);
  }

  /** Width and height of the frame on the screen. */
  get size() {
    const box = this.svg.getBoundingClientRect();
    return [box.width || 1, box.height || 1];
  }

  /** Pixels on the screen within which something is hit. */
  get reach() {
    return this.coarse ? MARK.coarse : MARK.hit;
  }

  /** Where a pointer is, as fractions of the frame; outside of it below 0 or above 1. */
  at(event) {
    const box = this.svg.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  say(text) {
    this.said.textContent = text;
  }

  /** Show where people walked; `paths` is a list of lists of points. */
  walked(paths) {
    const d = paths.map((points) => `M${points.map((point) => this.#xy(point).map((value) => value.toFixed(1)).join(" ")).join("L")}`);
    this.paths.setAttribute("d", d.join(""));
  }

  #xy([x, y]) {
    return [x * this.pixels[0], y * this.pixels[1]];
  }

  /** How many of the drawing's units one pixel of the screen has. The frame keeps its shape, so one number will do. */
  get #unit() {
    return this.pixels[0] / this.size[0];
  }

  /** Move the keyboard to a part of the drawing: "2" is shape 2, "2:0" its first corner. */
  focus(key) {
    this.svg.querySelector(`[data-key="${key}"]`)?.focus({ preventScroll: true });
  }

  show() {
    const held = this.svg.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const made = this.drawing.inOrder.flatMap((one) => this.#shape(one));
    if (this.draft) made.push(...this.#draft());
    this.layer.replaceChildren(...made);
    if (held !== undefined) {
      const again = this.layer.querySelector(`[data-key="${held}"]`);
      (again ?? this.svg).focus({ preventScroll: true });
    }
  }

  #shape(one) {
    const number = this.drawing.shapes.filter((other) => other.kind === one.kind).indexOf(one);
    const group = draw("g", { class: `shape ${one.kind} z-${(number + (one.kind === "line" ? 3 : 0)) % COLOURS}` });
    const on = one.id === this.drawing.selected;
    group.classList.toggle("on", on);
    group.classList.toggle("bad", Boolean(this.drawing.fault(one)));
    group.append(...(one.kind === "zone" ? this.#zone(one) : this.#line(one)));
    if (on && !this.draft) group.append(...this.#handles(one));
    return [group];
  }

  #label(one, [x, y], text = one.name, kind = "name") {
    const size = MARK.text * this.#unit;
    return draw("text", { class: kind, x, y, "font-size": size, "stroke-width": size / 3.5, "text-anchor": "middle" }, text);
  }

  #zone(one) {
    const points = one.points.map((point) => this.#xy(point));
    const body = draw("polygon", {
      class: "body",
      points: points.map((point) => point.join(",")).join(" "),
      tabindex: "0",
      role: "button",
      "data-shape": one.id,
      "data-key": one.id,
      "aria-label": `Zone ${one.name}, ${points.length} corners${this.drawing.fault(one) ? `: ${this.drawing.fault(one)}` : ""}`,
    });
    const red = [...this.drawing.crossing(one)].map((index) => {
      const [a, b] = [points[index], points[(index + 1) % points.length]];
      return draw("line", { class: "crossing", x1: a[0], y1: a[1], x2: b[0], y2: b[1] });
    });
    return [body, ...red, this.#label(one, this.#xy(centre(one.points)))];
  }

  #line(one) {
    const [a, b] = one.points.map((point) => this.#xy(point));
    const ends = { x1: a[0], y1: a[1], x2: b[0], y2: b[1] };
    const body = draw("line", {
      ...ends,
      class: "body",
      tabindex: "0",
      role: "button",
      "data-shape": one.id,
      "data-key": one.id,
      "aria-label": `Line ${one.name}; F turns its direction round`,
    });
    const [nx, ny] = forward(...one.points, this.size).map((value) => value * MARK.arrow * this.#unit);
    const [mx, my] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const head = 0.34;
    const tip = [mx + nx, my + ny];
    const arrow = draw("path", {
      class: "arrow",
      d: `M${mx} ${my}L${tip[0]} ${tip[1]}M${tip[0] - head * (nx - ny)} ${tip[1] - head * (ny + nx)}L${tip[0]} ${tip[1]}L${tip[0] - head * (nx + ny)} ${tip[1] - head * (ny - nx)}`,
    });
    const beside = (by) => this.#inside([mx + by * nx, my + by * ny + 4 * this.#unit]);
    return [
      draw("line", { ...ends, class: "wide", "data-shape": one.id }),
      body,
      arrow,
      this.#label(one, beside(1.5), "forward", "way"),
      this.#label(one, beside(-0.75), "backward", "way"),
      this.#label(one, this.#inside([b[0], b[1] + 22 * this.#unit])),
    ];
  }

  /** Keep a text off the frame's edges. */
  #inside([x, y]) {
    const room = 30 * this.#unit;
    return [Math.min(Math.max(x, room), this.pixels[0] - room), Math.min(Math.max(y, room / 2), this.pixels[1] - room / 4)];
  }

  #handles(one) {
    const ghosts = one.kind === "zone" ? this.#ghosts(one) : [];
    return [...ghosts, ...one.points.flatMap((point, index) => this.#handle(one, point, index))];
  }

  /** Half-way marks: taking hold of one makes a corner there. Only where there is room between the corners. */
  #ghosts(one) {
    if (one.points.length >= this.drawing.limits.corners) return [];
    return one.points.flatMap((point, index) => {
      const next = one.points[(index + 1) % one.points.length];
      if (distance(point, next, this.size) < MARK.ghosts) return [];
      const [cx, cy] = this.#xy(middle(point, next));
      return [
        draw("circle", { class: "ghost", cx, cy, r: MARK.ghost * this.#unit }),
        draw("circle", { class: "hit", cx, cy, r: this.reach * 0.8 * this.#unit, "data-edge": index, "data-shape": one.id }),
      ];
    });
  }

  #handle(one, point, index) {
    const [cx, cy] = this.#xy(point);
    const name = one.kind === "zone" ? `Corner ${index + 1} of ${one.points.length}` : index ? "End" : "Start";
    return [
      draw("circle", { class: "corner", cx, cy, r: MARK.corner * this.#unit, "data-mark": `${one.id}:${index}` }),
      draw("circle", {
        class: `hit${this.corner === index ? " held" : ""}`,
        cx,
        cy,
        r: this.reach * this.#unit,
        tabindex: "0",
        role: "button",
        "data-corner": index,
        "data-shape": one.id,
        "data-key": `${one.id}:${index}`,
        "aria-label": `${name} of ${one.name}, ${where(point)}`,
      }),
    ];
  }

  #draft() {
    const { kind, points, next, to } = this.draft;
    const shown = (next ? [...points, next] : points).map((point) => this.#xy(point));
    const unit = this.#unit;
    const made = [draw("polyline", { class: "draft", points: shown.map((point) => point.join(",")).join(" ") })];
    points.forEach((point, index) => {
      const [cx, cy] = this.#xy(point);
      const first = index === 0 && kind === "zone" && points.length >= 3;
      made.push(draw("circle", { class: first ? "corner first" : "corner", cx, cy, r: (first ? 9 : 5) * unit }));
    });
    if (next) {
      const [x, y] = this.#xy(next);
      const arm = 11 * unit;
      made.push(draw("path", { class: `cross${to ? " pulled" : ""}`, d: `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}` }));
    }
    return made;
  }
}
