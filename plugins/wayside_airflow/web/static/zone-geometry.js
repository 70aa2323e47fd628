// The geometry of the zone editor: hits, snapping, self-crossing, arrows. Nothing here knows of the page.
//
// Points are [x, y] as fractions of the frame, origin top left. Distances that people see are in pixels of the screen, so
// functions that measure take `size`, [width, height] of the frame on the screen.

/** Positions are kept to a ten-thousandth of the frame: a fifth of a pixel of a picture 1920 wide. */
const DIGITS = 1e4;

/** As the server has it. */
const LEAST_AREA = 1e-5;

const rounded = (value) => Math.round(value * DIGITS) / DIGITS;

export const clamp = (value, low = 0, high = 1) => Math.min(Math.max(value, low), high);

/** A point inside of the frame, rounded to what is kept. */
export const tidy = ([x, y]) => [rounded(clamp(x)), rounded(clamp(y))];

export const same = (a, b) => a[0] === b[0] && a[1] === b[1];

/** Pixels on the screen between two points. */
export const distance = (a, b, [width, height]) => Math.hypot((a[0] - b[0]) * width, (a[1] - b[1]) * height);

/** The pairs of neighbours of a closed polygon. */
export const edges = (points) => points.map((point, index) => [point, points[(index + 1) % points.length]]);

/** Twice the signed area: positive where the corners go round clockwise on the screen. */
const doubled = (points) => edges(points).reduce((sum, [a, b]) => sum + a[0] * b[1] - b[0] * a[1], 0);

/** The area as a share of the frame. */
export const area = (points) => Math.abs(doubled(points)) / 2;

/** Where a name is written: the centre of gravity, or of the corners where there is no area. */
export const centre = (points) => {
  const whole = doubled(points);
  const mean = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
  if (Math.abs(whole) < 1e-9) return mean;
  const found = [0, 0];
  for (const [a, b] of edges(points)) {
    const cross = a[0] * b[1] - b[0] * a[1];
    found[0] += ((a[0] + b[0]) * cross) / (3 * whole);
    found[1] += ((a[1] + b[1]) * cross) / (3 * whole);
  }
  // Of a polygon that crosses itself it may lie anywhere.
  return found.every((value) => value >= 0 && value <= 1) ? found : mean;
};

export const middle = (a, b) => tidy([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);

/** The point between a and b that is nearest on the screen. */
export const nearest = (point, a, b, [width, height]) => {
  const [dx, dy] = [(b[0] - a[0]) * width, (b[1] - a[1]) * height];
  const long = dx * dx + dy * dy;
  const along = long ? clamp(((point[0] - a[0]) * width * dx + (point[1] - a[1]) * height * dy) / long) : 0;
  return [a[0] + (b[0] - a[0]) * along, a[1] + (b[1] - a[1]) * along];
};

/** The index of the edge of a polygon that lies within `reach` pixels of a point; -1 if none does. */
export const edgeAt = (point, points, reach, size) => {
  const away = edges(points).map(([a, b]) => distance(point, nearest(point, a, b, size), size));
  const least = Math.min(...away);
  return least <= reach ? away.indexOf(least) : -1;
};

/**
 * A point, pulled to what lies within `reach` pixels: first to one of the `corners`, then to the frame's edges.
 * Tells what pulled it: "corner", "frame" or "".
 */
export const snap = (point, corners, reach, size) => {
  const near = corners
    .map((corner) => [distance(point, corner, size), corner])
    .filter(([away]) => away <= reach)
    .sort((one, other) => one[0] - other[0]);
  if (near.length) return { point: near[0][1], to: "corner" };
  let to = "";
  const pulled = point.map((value, axis) => {
    const edge = value < 0.5 ? 0 : 1;
    if (Math.abs(value - edge) * size[axis] > reach) return value;
    to = "frame";
    return edge;
  });
  return { point: tidy(pulled), to };
};

/** A copy of points, moved as far as the frame allows. */
export const moved = (points, dx, dy) => {
  const room = (values, by) => clamp(by, -Math.min(...values), 1 - Math.max(...values));
  const x = room(points.map((point) => point[0]), dx);
  const y = room(points.map((point) => point[1]), dy);
  return points.map((point) => tidy([point[0] + x, point[1] + y]));
};

const turn = (a, b, c) => Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));

const between = (a, b, c) => [0, 1].every((axis) => Math.min(a[axis], b[axis]) <= c[axis] && c[axis] <= Math.max(a[axis], b[axis]));

/** Whether two closed pieces of line have a point in common. */
export const meet = ([a, b], [c, d]) => {
  const [abc, abd, cda, cdb] = [turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)];
  if (abc !== abd && cda !== cdb) return true;
  return (!abc && between(a, b, c)) || (!abd && between(a, b, d)) || (!cda && between(c, d, a)) || (!cdb && between(c, d, b));
};

/** Whether a corner folds back: both of its edges lie on one another. */
const folds = (before, corner, after) =>
  !turn(before, corner, after) && (before[0] - corner[0]) * (after[0] - corner[0]) + (before[1] - corner[1]) * (after[1] - corner[1]) > 0;

/** The indices of the edges of a polygon that cross or touch another that is no neighbour, or fold onto a neighbour. */
export const crossing = (points) => {
  const all = edges(points);
  const found = new Set();
  all.forEach((edge, index) => {
    const next = (index + 1) % all.length;
    if (folds(edge[0], edge[1], all[next][1])) found.add(index).add(next);
    for (let other = index + 2; other < all.length; other += 1) {
      if ((other + 1) % all.length !== index && meet(edge, all[other])) found.add(index).add(other);
    }
  });
  return found;
};

/** What is wrong with a polygon, for people; "" if nothing is. */
export const fault = (points) => {
  if (points.length < 3) return "a zone needs at least three corners";
  if (points.some((point, index) => same(point, points[(index + 1) % points.length]))) return "two corners lie on each other";
  if (crossing(points).size) return "the outline crosses or touches itself: move a corner until the red edges are gone";
  return area(points) < LEAST_AREA ? "it has hardly any area" : "";
};

/** The unit vector, on the screen, that points where a line counts forward: from its left side to its right. */
export const forward = (from, to, [width, height]) => {
  const [dx, dy] = [(to[0] - from[0]) * width, (to[1] - from[1]) * height];
  const long = Math.hypot(dx, dy) || 1;
  // Seen along the line, y growing downwards: right of (dx, dy) is (-dy, dx).
  return [-dy / long, dx / long];
};
