// The parts of the zone editor that need no page, run by node; `test_zone_editor.py` starts this.

import assert from "node:assert/strict";
import { test } from "node:test";

const { Drawing } = await import("./zone-drawing.js");
const geometry = await import("./zone-geometry.js");

const { area, centre, crossing, edgeAt, fault, forward, moved, nearest, snap, tidy } = geometry;
const SIZE = [1000, 500];
const SQUARE = [[0.2, 0.2], [0.6, 0.2], [0.6, 0.6], [0.2, 0.6]];
const LIMITS = { zones: 2, lines: 2, corners: 6, name: 10 };
const drawn = () => new Drawing({ zones: [{ name: "Door", polygon: SQUARE }], lines: [{ name: "Road", from: [0.1, 0.9], to: [0.9, 0.9] }] }, LIMITS);

// The same numbers at each run.
const random = (() => {
  let state = 42;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
})();

test("points stay inside of the frame, to a ten-thousandth", () => {
  assert.deepEqual(tidy([-0.2, 1.7]), [0, 1]);
  assert.deepEqual(tidy([0.123456, 0.5]), [0.1235, 0.5]);
});

test("a corner is pulled to a corner before a frame's edge, and freely beyond the reach", () => {
  assert.deepEqual(snap([0.995, 0.5], [[0.99, 0.5]], 10, SIZE), { point: [0.99, 0.5], to: "corner" });
  assert.deepEqual(snap([0.995, 0.5], [], 10, SIZE), { point: [1, 0.5], to: "frame" });
  assert.deepEqual(snap([0.995, 0.99], [], 10, SIZE), { point: [1, 1], to: "frame" });
  assert.deepEqual(snap([0.98, 0.5], [[0.9, 0.5]], 10, SIZE), { point: [0.98, 0.5], to: "" });
});

test("reach is measured on the screen, so a wide frame is no wider for the hand", () => {
  assert.equal(snap([0.5, 0.5], [[0.51, 0.5]], 9, SIZE).to, "");
  assert.equal(snap([0.5, 0.5], [[0.5, 0.51]], 9, SIZE).to, "corner");
});

test("area and centre of a square, whichever way round", () => {
  for (const points of [SQUARE, SQUARE.toReversed()]) {
    assert.ok(Math.abs(area(points) - 0.16) < 1e-9);
    assert.ok(centre(points).every((value) => Math.abs(value - 0.4) < 1e-9));
  }
});

test("a polygon that crosses, touches or folds is found out, and says which edges", () => {
  assert.deepEqual([...crossing(SQUARE)], []);
  const bow = [[0.2, 0.2], [0.6, 0.6], [0.6, 0.2], [0.2, 0.6]];
  assert.deepEqual([...crossing(bow)].sort(), [0, 2]);
  const touching = [[0, 0], [0.8, 0], [0.8, 0.8], [0.4, 0], [0, 0.8]];
  assert.ok(crossing(touching).has(0));
  const spike = [[0, 0], [0.8, 0], [0.4, 0], [0.4, 0.8]];
  assert.ok(crossing(spike).size);
  const straight = [[0, 0], [0.4, 0], [0.8, 0], [0.4, 0.8]];
  assert.deepEqual([...crossing(straight)], [], "a corner on a straight edge is allowed");
});

test("faults have words", () => {
  assert.match(fault(SQUARE.slice(0, 2)), /three corners/);
  assert.match(fault([[0.1, 0.1], [0.1, 0.1], [0.5, 0.5]]), /lie on each other/);
  assert.match(fault([[0.1, 0.1], [0.101, 0.1], [0.101, 0.101]]), /hardly any area/);
  assert.equal(fault(SQUARE), "");
});

test("any star-shaped polygon is sound; swapping two opposite corners of one makes it cross", () => {
  for (let round = 0; round < 200; round += 1) {
    const corners = 4 + Math.floor(random() * 9);
    const points = Array.from({ length: corners }, (_, index) => {
      const angle = ((index + 0.8 * random()) / corners) * 2 * Math.PI;
      const reach = 0.1 + 0.35 * random();
      return tidy([0.5 + reach * Math.cos(angle), 0.5 + reach * Math.sin(angle)]);
    });
    const gaps = points.map(([x, y], index) => {
      const [nx, ny] = points[(index + 1) % corners];
      return (Math.atan2(ny - 0.5, nx - 0.5) - Math.atan2(y - 0.5, x - 0.5) + 2 * Math.PI) % (2 * Math.PI);
    });
    if (Math.max(...gaps) < Math.PI * 0.95) assert.equal(crossing(points).size, 0, JSON.stringify(points));
  }
  const hexagon = Array.from({ length: 6 }, (_, index) => [0.5 + 0.3 * Math.cos(index), 0.5 + 0.3 * Math.sin(index)]);
  [hexagon[1], hexagon[4]] = [hexagon[4], hexagon[1]];
  assert.ok(crossing(hexagon).size);
});

test("the nearest point lies on the edge, and the edge is found within reach", () => {
  assert.deepEqual(nearest([0.4, 0.1], [0.2, 0.2], [0.6, 0.2], SIZE), [0.4, 0.2]);
  assert.deepEqual(nearest([0, 0], [0.2, 0.2], [0.6, 0.2], SIZE), [0.2, 0.2]);
  assert.equal(edgeAt([0.4, 0.21], SQUARE, 10, SIZE), 0);
  assert.equal(edgeAt([0.21, 0.4], SQUARE, 10, SIZE), 3);
  assert.equal(edgeAt([0.4, 0.4], SQUARE, 10, SIZE), -1);
});

test("a shape is moved as far as the frame allows, and keeps its form", () => {
  const away = moved(SQUARE, 5, -5);
  assert.deepEqual(away, [[0.6, 0], [1, 0], [1, 0.4], [0.6, 0.4]]);
});

test("forward is from the left of a line to its right, as the picture is seen", () => {
  assert.deepEqual(forward([0.1, 0.5], [0.9, 0.5], SIZE).map((value) => value + 0), [0, 1], "drawn to the right: downwards");
  assert.deepEqual(forward([0.5, 0.9], [0.5, 0.1], SIZE).map((value) => value + 0), [1, 0], "drawn upwards: to the right");
});

test("a step back and forth gives what was there", () => {
  const drawing = drawn();
  const before = JSON.stringify(drawing.json);
  const id = drawing.shapes[0].id;
  drawing.place(id, 0, [0.1, 0.1]);
  drawing.settle();
  drawing.insert(id, 0);
  drawing.settle();
  drawing.flip(drawing.shapes[1].id);
  drawing.drop(id);
  const after = JSON.stringify(drawing.json);
  for (let step = 0; step < 4; step += 1) drawing.undo();
  assert.equal(JSON.stringify(drawing.json), before);
  assert.equal(drawing.canUndo, false);
  for (let step = 0; step < 4; step += 1) drawing.redo();
  assert.equal(JSON.stringify(drawing.json), after);
});

test("a drag, and a corner pushed along by keys, is one step", () => {
  const drawing = drawn();
  const id = drawing.shapes[0].id;
  for (let step = 1; step <= 20; step += 1) drawing.place(id, 0, [0.2 - step / 200, 0.2]);
  drawing.settle();
  for (let step = 1; step <= 20; step += 1) drawing.place(id, 0, [0.1, 0.2 - step / 200]);
  drawing.undo();
  assert.deepEqual(drawing.find(id).points[0], [0.1, 0.2]);
  drawing.undo();
  assert.deepEqual(drawing.find(id).points, SQUARE);
});

test("a new corner that is dragged at once is one step with its drag", () => {
  const drawing = drawn();
  const id = drawing.shapes[0].id;
  const at = drawing.insert(id, 1, [0.6, 0.4]);
  drawing.place(id, at, [0.8, 0.4]);
  assert.equal(drawing.find(id).points.length, 5);
  drawing.undo();
  assert.deepEqual(drawing.find(id).points, SQUARE);
});

test("a zone keeps three corners, a line both ends, and nobody draws more than is allowed", () => {
  const drawing = drawn();
  const [zone, line] = drawing.shapes.map((one) => one.id);
  assert.equal(drawing.remove(zone, 3), true);
  assert.equal(drawing.remove(zone, 2), false);
  assert.equal(drawing.remove(line, 0), false);
  for (let more = 0; more < 3; more += 1) assert.ok(drawing.insert(zone, 0, [0.3 + more / 100, 0.1]) > 0);
  assert.equal(drawing.insert(zone, 0), -1);
  drawing.add("zone", SQUARE);
  drawing.add("zone", SQUARE);
  assert.match(drawing.obstacle, /at most 2 zones/);
});

test("names are one's own, whatever their case, and there is one to begin with", () => {
  const drawing = drawn();
  const { id, name } = drawing.add("zone", SQUARE);
  assert.equal(name, "Zone 1");
  const faults = { "": /name/, " door ": /another/, "*": /all zones/, "far too long": /longer/, Gate: /^$/ };
  for (const [text, said] of Object.entries(faults)) {
    drawing.rename(id, text);
    assert.match(drawing.fault(drawing.find(id)), said);
  }
});

test("what was saved is not dirty, and neither is what came back to it", () => {
  const drawing = drawn();
  assert.equal(drawing.dirty, false);
  const id = drawing.shapes[0].id;
  drawing.rename(id, "Gate");
  assert.equal(drawing.dirty, true);
  drawing.rename(id, "Door");
  assert.equal(drawing.dirty, false);
  drawing.rename(id, "Gate");
  drawing.keep();
  assert.equal(drawing.dirty, false);
  drawing.undo();
  assert.equal(drawing.dirty, true);
});

test("small zones lie above large ones, the selected one above all", () => {
  const drawing = drawn();
  const small = drawing.add("zone", [[0.3, 0.3], [0.4, 0.3], [0.4, 0.4]]);
  drawing.select(null);
  const order = () => drawing.inOrder.map((one) => one.name);
  assert.deepEqual(order(), ["Door", "Zone 1", "Road"]);
  drawing.select(drawing.shapes[0].id);
  assert.equal(order().at(-1), "Door");
  assert.ok(small);
});
