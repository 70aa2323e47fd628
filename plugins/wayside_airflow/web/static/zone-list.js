// The list beside the picture: a name, what it is, what is wrong with it, and buttons, for each zone and line.

import { make } from "./dom.js";

const COLOURS = 6;

const button = (text, label, act) => {
  const made = make("button", { type: "button", class: "mini", "aria-label": label, title: label }, text);
  made.addEventListener("click", act);
  return made;
};

export class List {
  #items = new Map();

  constructor(host, drawing, tools) {
    this.host = host;
    this.drawing = drawing;
    this.tools = tools;
    drawing.addEventListener("change", () => this.show());
    this.show();
  }

  /** Put the cursor into the name of a shape. */
  name(id) {
    const field = this.#items.get(id)?.field;
    field?.focus();
    field?.select();
  }

  show() {
    const wanted = new Set(this.drawing.shapes.map((one) => one.id));
    for (const [id, item] of this.#items) {
      if (wanted.has(id)) continue;
      item.row.remove();
      this.#items.delete(id);
    }
    const order = this.drawing.shapes.toSorted((one, other) => (one.kind < other.kind) - (one.kind > other.kind));
    order.forEach((one, place) => {
      const item = this.#items.get(one.id) ?? this.#make(one);
      this.#fill(item, one);
      if (this.host.children[place] !== item.row) this.host.insertBefore(item.row, this.host.children[place] ?? null);
    });
  }

  #make({ id, kind }) {
    const field = make("input", { maxlength: this.drawing.limits.name, autocomplete: "off", spellcheck: "false" });
    const what = make("small");
    const fault = make("p", { class: "fault" });
    const buttons = [button("×", "Delete", () => this.tools.drop(id))];
    if (kind === "line") buttons.unshift(button("⇄", "Turn the direction round", () => this.tools.flip(id)));
    const row = make("li", {}, make("i", { "aria-hidden": "true" }), field, ...buttons, what, fault);
    field.addEventListener("input", () => this.drawing.rename(id, field.value));
    field.addEventListener("focus", () => this.drawing.select(id));
    field.addEventListener("change", () => this.drawing.settle());
    row.addEventListener("pointerdown", (event) => event.target.closest("button, input") || this.drawing.select(id));
    const item = { row, field, what, fault };
    this.#items.set(id, item);
    return item;
  }

  #fill({ row, field, what, fault }, one) {
    const number = this.drawing.shapes.filter((other) => other.kind === one.kind).indexOf(one);
    row.className = `z-${(number + (one.kind === "line" ? 3 : 0)) % COLOURS} ${one.kind}`;
    row.classList.toggle("on", one.id === this.drawing.selected);
    if (field.value !== one.name) field.value = one.name;
    field.setAttribute("aria-label", `Name of this ${one.kind}`);
    what.textContent = one.kind === "zone" ? `zone, ${one.points.length} corners` : "line, forward along its arrow";
    fault.textContent = this.drawing.fault(one);
    fault.hidden = !fault.textContent;
    row.classList.toggle("bad", !fault.hidden);
  }
}
