// The series of a source or a camera: fetch it once, draw the chart, and write the same numbers as a table.

import { LineChart, number, when } from "./chart.js";

const cell = (name, text, scope) => {
  const made = document.createElement(name);
  if (scope) made.scope = scope;
  made.textContent = text;
  return made;
};

const ODD = { AO: "day apart", LS: "new level" };

const write = (table, data) => {
  const names = Object.keys(data.classes);
  const head = document.createElement("tr");
  const daily = data.step_minutes === 1440;
  const title = { 60: "Hour (UTC), mean", 1440: "Day (UTC)" }[data.step_minutes] ?? "Slot (UTC)";
  const mean = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  // Means in one column have as many digits each, so that they can be compared at a glance.
  const figure = (value) => (data.step_minutes === 60 ? (value?.toLocaleString("en", mean) ?? "–") : number(value));
  const columns = daily ? [title, ...names, "cameras", "filled in", "outlier"] : [title, "cameras counted", ...names];
  head.append(...columns.map((text) => cell("th", text, "col")));
  const rows = data.times.map((time, index) => {
    const row = document.createElement("tr");
    const values = names.map((name) => cell("td", figure(data.classes[name][index])));
    if (daily) {
      const share = `${number(100 * data.imputed_share[index])} %`;
      const told = [number(data.cameras[index]), share, ODD[data.outliers[index]] ?? ""];
      row.append(cell("th", time.slice(0, 10), "row"), ...values, ...told.map((text) => cell("td", text)));
    } else {
      const [counted, cameras] = [data.counted[index], data.cameras[index]].map((value) => value == null ? value : Math.round(value));
      const told = counted == null ? "not run" : `${number(counted)} of ${number(cameras)}`;
      row.append(cell("th", when(time, { day: true }), "row"), cell("td", told), ...values);
    }
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
