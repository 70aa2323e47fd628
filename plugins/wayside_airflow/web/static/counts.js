// The series of a source or a camera: fetch it once, draw the chart, and write the same numbers as a table.

import { LineChart, when } from "./chart.js";

const cell = (name, text, scope) => {
  const made = document.createElement(name);
  if (scope) made.scope = scope;
  made.textContent = text;
  return made;
};

const figure = (value) => (value == null ? "–" : value.toLocaleString("en", { maximumFractionDigits: 1 }));

const write = (table, data) => {
  const names = Object.keys(data.classes);
  const head = document.createElement("tr");
  const daily = data.step_minutes === 1440;
  const title = { 60: "Hour (UTC), mean", 1440: "Day (UTC)" }[data.step_minutes] ?? "Slot (UTC)";
  const more = daily ? ["imputed", "outlier"] : [];
  head.append(...[title, "counted", ...names, ...more].map((text) => cell("th", text, "col")));
  const rows = data.times.map((time, index) => {
    const row = document.createElement("tr");
    const counted = data.counted[index] == null ? "not run" : `${figure(data.counted[index])} of ${figure(data.cameras[index])}`;
    row.append(cell("th", daily ? time.slice(0, 10) : when(time, { day: true }), "row"), cell("td", counted));
    row.append(...names.map((name) => cell("td", figure(data.classes[name][index]))));
    if (daily) row.append(cell("td", `${figure(100 * data.imputed_share[index])} %`), cell("td", data.outliers[index] ?? ""));
    return row;
  });
  const top = document.createElement("thead");
  top.append(head);
  const body = document.createElement("tbody");
  body.append(...rows.reverse());
  table.replaceChildren(top, body);
};

for (const host of document.querySelectorAll("[data-chart]")) {
  const say = (text) => host.replaceChildren(cell("p", text));
  try {
    const answer = await fetch(host.dataset.chart);
    const data = await answer.json();
    if (!answer.ok) say(data.detail);
    else if (!Object.keys(data.classes).length) say("Nothing was counted in this range.");
    else {
      new LineChart(host, data);
      const table = document.getElementById(host.dataset.table ?? "");
      if (table) write(table, data);
    }
  } catch {
    say("The counts could not be loaded: is the API server running, and are you signed in?");
  }
}
