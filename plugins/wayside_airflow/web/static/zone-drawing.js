// What is drawn: zones and lines with their names, what is selected, and every step that can be undone.
//
// Shapes are never changed in place: each change makes a new list, so that a step back is a list that was kept.

import { area, crossing, fault, middle, moved, same, tidy } from "./zone-geometry.js";

/** How many steps can be taken back. */
const STEPS = 200;

const shape = (id, kind, name, points) => Object.freeze({ id, kind, name, points: points.map(tidy) });

export class Drawing extends EventTarget {
  #next = 1;
  #back = [];
  #forth = [];
  #merging = null;

  constructor({ zones, lines }, limits) {
    super();
    this.limits = limits;
    this.shapes = [
      ...zones.map((one) => shape(this.#id(), "zone", one.name, one.polygon)),
      ...lines.map((one) => shape(this.#id(), "line", one.name, [one.from, one.to])),
    ];
    this.saved = this.shapes;
    this.selected = null;
  }

  #id() {
    return String(this.#next++);
  }

  /** What the server takes. */
  get json() {
    const of = (kind) => this.shapes.filter((one) => one.kind === kind);
    return {
      zones: of("zone").map(({ name, points }) => ({ name: name.trim(), polygon: points })),
      lines: of("line").map(({ name, points }) => ({ name: name.trim(), from: points[0], to: points[1] })),
    };
  }

  get dirty() {
    return this.shapes !== this.saved && JSON.stringify(this.json) !== JSON.stringify(Drawing.#read(this.saved));
  }

  static #read(shapes) {
    return Object.getOwnPropertyDescriptor(Drawing.prototype, "json").get.call({ shapes });
  }

  find(id) {
    return this.shapes.find((one) => one.id === id);
  }

  get current() {
    return this.find(this.selected);
  }

  select(id) {
    if (this.selected === id) return;
    this.selected = id;
    this.#merging = null;
    this.#tell();
  }

  /**
   * Put new shapes in place. Steps with the same `merge` that follow each other are one step back: a drag, or a corner
   * that is pushed along by keys.
   */
  #put(shapes, merge = null) {
    if (merge === null || merge !== this.#merging) {
      this.#back.push(this.shapes);
      this.#back.splice(0, this.#back.length - STEPS);
    }
    this.#merging = merge;
    this.#forth = [];
    this.shapes = shapes;
    if (!this.current) this.selected = null;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }

  #change(id, values, merge) {
    this.#put(this.shapes.map((one) => (one.id === id ? Object.freeze({ ...one, ...values }) : one)), merge);
  }

  /** End what steps are merged into: the next one stands for itself. */
  settle() {
    this.#merging = null;
  }

  add(kind, points) {
    const added = shape(this.#id(), kind, this.#name(kind), points);
    this.#put([...this.shapes, added]);
    this.select(added.id);
    return added;
  }

  #name(kind) {
    const taken = new Set(this.shapes.map((one) => one.name.trim().toLowerCase()));
    const word = kind === "zone" ? "Zone" : "Line";
    for (let number = 1; ; number += 1) if (!taken.has(`${word} ${number}`.toLowerCase())) return `${word} ${number}`;
  }

  rename(id, name) {
    this.#change(id, { name }, `name ${id}`);
  }

  place(id, index, point) {
    const { points } = this.find(id);
    this.#change(id, { points: points.with(index, tidy(point)) }, `corner ${id} ${index}`);
  }

  shift(id, dx, dy, from = this.find(id).points) {
    this.#change(id, { points: moved(from, dx, dy) }, `whole ${id}`);
  }

  /** Insert a corner after the one at `index`; returns its index, or -1 where there are enough. */
  insert(id, index, point = null) {
    const { points } = this.find(id);
    if (points.length >= this.limits.corners) return -1;
    const put = point ?? middle(points[index], points[(index + 1) % points.length]);
    this.#change(id, { points: points.toSpliced(index + 1, 0, tidy(put)) });
    // A drag of the new corner belongs to the same step.
    this.#merging = `corner ${id} ${index + 1}`;
    return index + 1;
  }

  /** Take a corner away; false where a zone would have fewer than three. */
  remove(id, index) {
    const { points, kind } = this.find(id);
    if (kind === "line" || points.length <= 3) return false;
    this.#change(id, { points: points.toSpliced(index, 1) });
    return true;
  }

  drop(id) {
    this.#put(this.shapes.filter((one) => one.id !== id));
  }

  flip(id) {
    this.#change(id, { points: this.find(id).points.toReversed() });
  }

  get canUndo() {
    return this.#back.length > 0;
  }

  get canRedo() {
    return this.#forth.length > 0;
  }

  undo() {
    this.#step(this.#back, this.#forth);
  }

  redo() {
    this.#step(this.#forth, this.#back);
  }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.shapes);
    this.shapes = from.pop();
    this.#merging = null;
    if (!this.current) this.selected = null;
    this.#tell();
  }

  /** The drawing is what the server has. */
  keep() {
    this.saved = this.shapes;
    this.#merging = null;
    this.#tell();
  }

  /** What is wrong with a shape, for people; "" if nothing is. */
  fault(one) {
    const name = one.name.trim();
    if (!name) return "give it a name";
    if (name.length > this.limits.name) return `the name is longer than ${this.limits.name} characters`;
    if (name === "*") return "* stands for all zones together";
    const alike = (other) => other !== one && other.name.trim().toLowerCase() === name.toLowerCase();
    if (this.shapes.some(alike)) return "another one has this name too";
    if (one.kind === "zone") return fault(one.points);
    return same(...one.points) ? "both ends lie on each other" : "";
  }

  /** The edges of a shape to show in red. */
  crossing(one) {
    return one.kind === "zone" ? crossing(one.points) : new Set();
  }

  /** What stands in the way of saving, for people; "" if nothing does. */
  get obstacle() {
    const of = (kind) => this.shapes.filter((one) => one.kind === kind).length;
    if (of("zone") > this.limits.zones) return `at most ${this.limits.zones} zones`;
    if (of("line") > this.limits.lines) return `at most ${this.limits.lines} lines`;
    const wrong = this.shapes.find((one) => this.fault(one));
    return wrong ? `${wrong.name.trim() || "A shape without a name"}: ${this.fault(wrong)}` : "";
  }

  /** Corners of other shapes, to which one may be pulled. */
  corners(id = null) {
    return this.shapes.flatMap((one) => (one.id === id ? [] : one.points));
  }

  /** Large ones first, so that a small one inside of a large one lies on top; the selected one lies above all. */
  get inOrder() {
    const rank = (one) => (one.id === this.selected ? -2 : one.kind === "line" ? -1 : area(one.points));
    return this.shapes.toSorted((one, other) => rank(other) - rank(one));
  }
}
