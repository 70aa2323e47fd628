// The keyboard on the drawing. Tab walks through shapes and, in the selected one, its corners; arrows move what has the
// focus by a thousandth of the frame, with Shift by a hundredth. While something is drawn they move a cross.

import { where } from "./zone-canvas.js";
import { tidy } from "./zone-geometry.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 0.001;
/** The cross of a draft has further to go. */
const STRIDE = 0.01;

export class Keys {
  constructor(canvas, tools) {
    this.canvas = canvas;
    this.drawing = canvas.drawing;
    this.tools = tools;
    canvas.svg.addEventListener("keydown", (event) => this.#press(event));
    canvas.svg.addEventListener("focusin", (event) => this.#focus(event));
    addEventListener("keydown", (event) => this.#everywhere(event));
  }

  /** Undo and redo work wherever the focus is, except where text is written. */
  #everywhere(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.closest("input, textarea, select")) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) this.tools.redo();
    else this.tools.undo();
  }

  #focus(event) {
    const { shape, corner } = event.target.dataset;
    if (shape === undefined || this.canvas.draft) return;
    this.canvas.corner = corner === undefined ? null : Number(corner);
    this.drawing.select(shape);
  }

  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { shape, corner } = event.target.dataset;
    const done = this.canvas.draft
      ? this.#drafting(event)
      : shape === undefined
        ? false
        : corner === undefined
          ? this.#whole(event, shape)
          : this.#single(event, shape, Number(corner));
    if (done) event.preventDefault();
  }

  #drafting(event) {
    const { draft } = this.canvas;
    const arrow = ARROWS[event.key];
    if (arrow) {
      const by = STRIDE * (event.shiftKey ? 5 : 1);
      const [x, y] = draft.next ?? draft.points.at(-1) ?? [0.5, 0.5];
      Object.assign(draft, { next: tidy([x + arrow[0] * by, y + arrow[1] * by]), to: "" });
      this.canvas.say(where(draft.next));
      this.canvas.show();
      return true;
    }
    if (event.key === " " && draft.next) this.tools.put(draft.next);
    else if (event.key === "Enter") this.tools.finish();
    else if (event.key === "Escape") this.tools.cancel();
    else if (event.key === "Backspace" || event.key === "Delete") this.tools.takeBack();
    else return false;
    return true;
  }

  #whole(event, id) {
    const arrow = ARROWS[event.key];
    if (arrow) {
      const by = STEP * (event.shiftKey ? 10 : 1);
      this.drawing.shift(id, arrow[0] * by, arrow[1] * by);
    } else if (event.key === "Enter") this.canvas.focus(`${id}:0`);
    else if (event.key === "Delete" || event.key === "Backspace") this.tools.drop(id);
    else if (event.key === "Escape") this.tools.deselect();
    else if (event.key.toLowerCase() === "f") this.tools.flip(id);
    else return false;
    return true;
  }

  #single(event, id, index) {
    const arrow = ARROWS[event.key];
    const one = this.drawing.find(id);
    if (arrow) {
      const by = STEP * (event.shiftKey ? 10 : 1);
      const [x, y] = one.points[index];
      this.drawing.place(id, index, [x + arrow[0] * by, y + arrow[1] * by]);
      this.canvas.say(where(this.drawing.find(id).points[index]));
    } else if (event.key === "Delete" || event.key === "Backspace") this.tools.removeCorner(id, index);
    else if (event.key === "Escape") this.canvas.focus(id);
    else if (event.key === "Insert" || event.key === "+") this.tools.insertAfter(id, index);
    else return false;
    return true;
  }
}
