// Mouse, pen and finger on the drawing: selecting, dragging corners and whole shapes, drawing new ones.
//
// While something is drawn the canvas has a draft: {kind, points, next, to}; `next` is the point that a press would set.

import { distance, edgeAt, snap, tidy } from "./zone-geometry.js";

/** Pixels that a pointer may tremble before a press becomes a drag. */
const TREMBLE = 4;
const LONG_PRESS = 550;
const TWICE = 400;
const SNAP = 9;

export class Pointer {
  constructor(canvas, tools) {
    this.canvas = canvas;
    this.drawing = canvas.drawing;
    this.tools = tools;
    this.drag = null;
    this.before = null;
    this.closed = -Infinity;
    const { svg } = canvas;
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    svg.addEventListener("pointerup", (event) => this.#up(event));
    svg.addEventListener("pointercancel", () => this.#end());
    svg.addEventListener("dblclick", (event) => this.#twice(event));
    svg.addEventListener("contextmenu", (event) => this.drag?.touch && event.preventDefault());
  }

  /** Where a pointer points to, pulled to corners and edges unless Alt or Shift is held. */
  #aim(event, id = null) {
    const { canvas } = this;
    const point = tidy(canvas.at(event));
    if (event.altKey || event.shiftKey) return { point, to: "" };
    return snap(point, this.drawing.corners(id), canvas.coarse ? 1.5 * SNAP : SNAP, canvas.size);
  }

  #down(event) {
    if (event.button || (this.drag && !this.drag.done)) return;
    this.canvas.coarse = event.pointerType === "touch";
    if (this.canvas.draft) {
      event.preventDefault();
      this.canvas.svg.focus({ preventScroll: true });
      this.#press(event);
      return;
    }
    const { shape, corner, edge } = event.target.dataset;
    this.drawing.settle();
    this.canvas.corner = corner === undefined ? null : Number(corner);
    this.drawing.select(shape ?? null);
    this.canvas.show();
    if (shape === undefined) return;
    event.preventDefault();
    this.canvas.focus(corner === undefined ? shape : `${shape}:${corner}`);
    const touch = event.pointerType === "touch";
    this.drag = { id: shape, from: this.canvas.at(event), x: event.clientX, y: event.clientY, touch, moving: false };
    this.drag.corner = this.canvas.corner;
    this.drag.edge = edge === undefined ? null : Number(edge);
    this.drag.points = this.drawing.find(shape).points;
    if (touch && corner !== undefined) this.drag.timer = setTimeout(() => this.#held(), LONG_PRESS);
    this.canvas.svg.setPointerCapture(event.pointerId);
  }

  /** A finger that rests on a corner takes it away. */
  #held() {
    const { id, corner, moving } = this.drag ?? {};
    if (id === undefined || moving) return;
    this.#end();
    this.tools.removeCorner(id, corner);
  }

  #move(event) {
    if (this.canvas.draft) this.#hover(event);
    const { drag } = this;
    if (!drag) return;
    if (!drag.moving && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < TREMBLE) return;
    clearTimeout(drag.timer);
    drag.moving = true;
    if (drag.edge !== null) {
      drag.corner = this.drawing.insert(drag.id, drag.edge, this.canvas.at(event));
      drag.edge = null;
      this.canvas.corner = drag.corner;
      if (drag.corner < 0) return this.#end();
      this.canvas.focus(`${drag.id}:${drag.corner}`);
    }
    if (drag.corner !== null) return this.drawing.place(drag.id, drag.corner, this.#aim(event, drag.id).point);
    const [x, y] = this.canvas.at(event);
    return this.drawing.shift(drag.id, x - drag.from[0], y - drag.from[1], drag.points);
  }

  #up(event) {
    const { draft } = this.canvas;
    // A line may be drawn in one pull.
    if (draft?.kind === "line" && draft.points.length === 1 && this.before) {
      const far = Math.hypot(event.clientX - this.before.x, event.clientY - this.before.y);
      if (far > 3 * TREMBLE) this.tools.put(this.#aim(event).point);
    }
    this.#end();
  }

  #end() {
    clearTimeout(this.drag?.timer);
    this.drag = null;
    this.drawing.settle();
  }

  #hover(event) {
    const { draft } = this.canvas;
    const { point, to } = this.#aim(event);
    const closes = draft.kind === "zone" && draft.points.length >= 3 && this.#near(point, draft.points[0]);
    Object.assign(draft, { next: closes ? draft.points[0] : point, to: closes ? "first" : to });
    this.canvas.show();
  }

  #near(a, b) {
    return distance(a, b, this.canvas.size) <= this.canvas.reach;
  }

  /** A press while something is drawn: a corner, or the end of it. */
  #press(event) {
    const { draft } = this.canvas;
    const { point } = this.#aim(event);
    const last = draft.points.at(-1);
    const again = this.before && event.timeStamp - this.before.time < TWICE && last && this.#near(point, last);
    this.before = { time: event.timeStamp, x: event.clientX, y: event.clientY };
    if (draft.kind === "zone" && draft.points.length >= 3 && (again || this.#near(point, draft.points[0]))) {
      this.closed = event.timeStamp;
      return this.tools.finish();
    }
    if (!again) this.tools.put(point);
    this.canvas.svg.setPointerCapture(event.pointerId);
  }

  /** Two clicks on an edge of a zone make a corner there. */
  #twice(event) {
    const one = this.drawing.current;
    // The two clicks that closed a zone are not meant for its edge.
    if (event.timeStamp - this.closed < 2 * TWICE) return;
    if (this.canvas.draft || one?.kind !== "zone" || event.target.dataset.corner !== undefined) return;
    const point = this.canvas.at(event);
    const index = edgeAt(point, one.points, this.canvas.reach, this.canvas.size);
    if (index >= 0) this.drawing.insert(one.id, index, point);
    this.drawing.settle();
  }
}
