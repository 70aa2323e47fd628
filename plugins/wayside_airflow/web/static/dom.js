// Making elements of the page and of pictures in SVG, and codes as words: what several pages need.

const SVG = "http://www.w3.org/2000/svg";

const fill = (made, attributes, children) => {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

export const make = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

export const draw = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

export const words = (text) => text.replaceAll("_", " ");

/** A share as a percentage that never says 0.0 % of something, nor 100 % of almost all. */
export const percent = (part, all) => {
  const share = all ? (100 * part) / all : 0;
  if (part > 0 && share < 0.1) return "<0.1 %";
  return part < all && share > 99.9 ? ">99.9 %" : `${share.toFixed(1)} %`;
};

/** The row of shares above a matrix: one box for each state that occurs. */
export const shares = (states, totals) => {
  const all = states.reduce((sum, state) => sum + (totals[state] ?? 0), 0);
  return states
    .filter((state) => totals[state] || state === "counted")
    .map((state) => make("div", { class: `share s-${state}` }, make("i", { "aria-hidden": "true" }), make("span", {}, words(state)), make("b", {}, percent(totals[state] ?? 0, all)), make("small", {}, (totals[state] ?? 0).toLocaleString("en"))));
};

/** Buttons to step through pages of rows; `show` is called with the page to show. */
export const pager = (page, pages, found, show) => {
  const step = (text, to) => {
    const button = make("button", { type: "button", class: "button quiet" }, text);
    button.disabled = to < 0 || to >= pages;
    button.addEventListener("click", () => show(to));
    return button;
  };
  const cameras = `${found.toLocaleString("en")} ${found === 1 ? "camera" : "cameras"}`;
  const where = make("span", {}, pages > 1 ? `${cameras}, page ${page + 1} of ${pages}` : cameras);
  return pages > 1 ? [step("‹ Previous", page - 1), where, step("Next ›", page + 1)] : [where];
};

/** Patterns lie over the colours, for eyes that do not tell the colours apart. */
export const patterns = () => {
  const box = draw("svg", { class: "patterns", "aria-hidden": "true" });
  for (const [state, size, d] of [
    ["faulty", 6, "M-1 1 1-1M0 6 6 0M5 7 7 5"],
    ["missing", 6, "M3 2v2"],
    ["failed", 5, "M0 0 5 5M5 0 0 5"],
  ]) {
    const pattern = draw("pattern", { id: `p-${state}`, width: size, height: size, patternUnits: "userSpaceOnUse" });
    pattern.append(draw("path", { d, class: "grain" }));
    box.append(pattern);
  }
  document.body.append(box);
};
