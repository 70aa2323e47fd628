// "What if": counts of one day with what is drawn now, beside those that are saved.

import { make } from "./dom.js";
import { ask } from "./zone-remote.js";

const COLUMNS = [
  ["entered", "Entered"],
  ["exited", "Left"],
  ["forward", "Forward"],
  ["backward", "Backward"],
  ["finished", "Counted"],
  ["inside_max", "Most inside"],
];

const figure = (value) => (value == null ? "–" : value.toLocaleString("en"));

const cell = (now, before) => {
  const made = make("td", {}, make("b", {}, figure(now)));
  if (before != null && now != null && before !== now) {
    const more = now - before;
    made.append(make("small", {}, ` ${more > 0 ? "+" : "−"}${figure(Math.abs(more))}`));
  }
  return made;
};

/** A row for each zone and line; what stayed the same is told without a difference. */
const table = ({ rows, counted_version: version }) => {
  const shown = COLUMNS.filter(([name]) => rows.some((row) => row.now[name]) || rows.some((row) => row.before?.[name]));
  const head = make("tr", {}, make("th", { scope: "col" }, "Zone or line"), ...shown.map(([, text]) => make("th", { scope: "col" }, text)));
  const body = rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row.name), ...shown.map(([name]) => cell(row.now[name], row.before?.[name]))));
  const caption = version ? `Small figures: the difference to version ${version}, as it was counted` : "This day has not been counted yet, so there is nothing to compare with";
  return make("table", { class: "rows" }, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...body));
};

/** Ask the server and show the answer in `host`. */
export const preview = async (host, button, url, body) => {
  button.disabled = true;
  host.replaceChildren(make("p", { class: "sub" }, "Counting …"));
  try {
    const answer = await ask(url, { method: "POST", body });
    const long = answer.watched_s < 180 ? `${figure(Math.round(answer.watched_s))} seconds` : `${figure(Math.round(answer.watched_s / 60))} minutes`;
    const looked = `${long} of video, ${figure(answer.looks)} frames looked at.`;
    host.replaceChildren(make("p", { class: "sub" }, looked), make("div", { class: "scroll" }, table(answer)));
  } catch (error) {
    host.replaceChildren(make("p", { class: "fault" }, error.message));
  } finally {
    button.disabled = false;
  }
};
