// What can be done to a drawing, from wherever it is asked: buttons, keys or pointer. Tells what to do next in one line.

import { same } from "./zone-geometry.js";

const HINTS = {
  none: "Draw a zone around a place, or a line across a way. Then name it in the list.",
  select: "Drag a corner or a whole shape. Pull a small dot, or double-click an edge, for one more corner. Delete removes a corner; so does a long press.",
  line: "Drag either end. The arrow shows what counts as forward; F, or the button, turns it round.",
  zone: "Click or tap the corners one after another. Close the zone at its first corner, with a double click, or with Enter. Escape gives up.",
  zoneKeys: "Arrow keys move the cross (Shift: further), Space sets a corner, Enter closes the zone, Escape gives up.",
  lineDraft: "Pull from one end to the other, or click both ends. Escape gives up.",
  lineKeys: "Arrow keys move the cross (Shift: further), Space sets an end, Escape gives up.",
};
/** Fingers have no keys, and less room to read. */
const TOUCH = {
  none: "Draw a zone around a place, or a line across a way. Then name it below.",
  select: "Drag a corner, a small dot for one more corner, or the whole zone. Hold a corner to remove it.",
  line: "Drag either end. The arrow shows what counts as forward.",
  zone: "Tap the corners one after another; tap the first one again to close the zone.",
  lineDraft: "Pull from one end to the other.",
};
const FREE = " Corners snap to the frame and to each other; hold Alt or Shift to place them freely.";

export class Tools {
  constructor(canvas, hint) {
    this.canvas = canvas;
    this.drawing = canvas.drawing;
    this.hint = hint;
    this.keyboard = false;
    this.drawing.addEventListener("change", () => this.explain());
    this.explain();
  }

  /** Begin to draw a "zone" or a "line", or, with null, go back to selecting. */
  start(kind, { keyboard = false } = {}) {
    this.keyboard = keyboard;
    this.canvas.corner = null;
    this.drawing.select(null);
    const next = keyboard ? [0.5, 0.5] : null;
    this.canvas.draft = kind && { kind, points: [], next, to: "" };
    this.#turn();
    if (kind) this.canvas.svg.focus({ preventScroll: true });
  }

  get tool() {
    return this.canvas.draft?.kind ?? "select";
  }

  #turn() {
    this.canvas.svg.classList.toggle("drafting", Boolean(this.canvas.draft));
    this.canvas.show();
    this.explain();
    this.canvas.svg.dispatchEvent(new CustomEvent("tool", { bubbles: true }));
  }

  put(point) {
    const { draft } = this.canvas;
    const last = draft.points.at(-1);
    if (last && same(last, point)) return;
    if (draft.points.length >= this.drawing.limits.corners) return this.hint(`A zone has at most ${this.drawing.limits.corners} corners.`);
    draft.points.push(point);
    if (draft.kind === "line" && draft.points.length === 2) return this.finish();
    this.canvas.say(`${draft.points.length} set`);
    this.canvas.show();
  }

  finish() {
    const { draft } = this.canvas;
    const needed = draft.kind === "zone" ? 3 : 2;
    if (draft.points.length < needed) return this.hint(`A ${draft.kind} needs ${needed === 3 ? "three corners" : "two ends"}.`);
    this.canvas.draft = null;
    const added = this.drawing.add(draft.kind, draft.points);
    this.#turn();
    this.canvas.say(`${added.name} drawn`);
    this.canvas.svg.dispatchEvent(new CustomEvent("drawn", { bubbles: true, detail: added }));
  }

  cancel() {
    this.canvas.draft = null;
    this.#turn();
  }

  takeBack() {
    if (this.canvas.draft.points.length) this.canvas.draft.points.pop();
    else return this.cancel();
    this.canvas.show();
  }

  undo() {
    if (this.canvas.draft) this.takeBack();
    else this.drawing.undo();
  }

  redo() {
    if (!this.canvas.draft) this.drawing.redo();
  }

  removeCorner(id, index) {
    if (!this.drawing.remove(id, index)) {
      return this.hint(this.drawing.find(id).kind === "zone" ? "A zone keeps at least three corners: select the whole zone to delete it." : "A line keeps both ends: select the whole line to delete it.");
    }
    const left = this.drawing.find(id).points.length;
    this.canvas.corner = null;
    this.canvas.focus(`${id}:${index % left}`);
    this.canvas.say("Corner removed");
  }

  insertAfter(id, index) {
    if (this.drawing.find(id).kind !== "zone") return;
    const at = this.drawing.insert(id, index);
    this.drawing.settle();
    if (at >= 0) this.canvas.focus(`${id}:${at}`);
  }

  drop(id) {
    const { name } = this.drawing.find(id);
    this.drawing.drop(id);
    this.canvas.svg.focus({ preventScroll: true });
    this.canvas.say(`${name} deleted`);
    this.hint(`“${name}” is deleted; Undo brings it back.`);
  }

  /** What the button Delete does: the corner that was picked last, or the whole shape. */
  dropSelected() {
    const one = this.drawing.current;
    if (!one) return;
    if (this.canvas.corner !== null && one.kind === "zone" && one.points.length > 3) this.removeCorner(one.id, this.canvas.corner);
    else this.drop(one.id);
  }

  flip(id) {
    if (this.drawing.find(id)?.kind === "line") this.drawing.flip(id);
  }

  deselect() {
    this.drawing.select(null);
    this.canvas.svg.focus({ preventScroll: true });
  }

  explain() {
    const { draft } = this.canvas;
    const told = this.canvas.coarse && !this.keyboard ? { ...HINTS, ...TOUCH } : HINTS;
    if (draft) return this.hint(told[`${draft.kind}${this.keyboard ? "Keys" : draft.kind === "line" ? "Draft" : ""}`]);
    const one = this.drawing.current;
    if (!one) return this.hint(this.drawing.shapes.length ? "Click or tap a zone or line to change it." : told.none);
    const what = one.kind === "line" ? told.line : told.select;
    return this.hint(told === HINTS ? what + FREE : what);
  }
}
