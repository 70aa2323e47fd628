// The page of counts: charts of what the server gives as data, and the same numbers as a table.

import { LineChart, number, when } from "./chart.js";
import { make } from "./dom.js";
import { ask } from "./zone-remote.js";

const UNITS = { minute: "a minute", hour: "an hour", day: "a day" };

/** What the chart wants to know about the points: how much of each was watched. */
const frame = (data) => ({
  times: data.times,
  step_minutes: data.step_minutes,
  cameras: data.times.map(() => 1),
  counted: data.watched,
  gaps: data.watched.map((share) => !share),
  behind: data.watched.map((share) => (share ? `${number(100 * share)} % of the time watched` : "not watched")),
  strip: "watched",
});

const charts = (data) => ({
  flow: { classes: data.flow, unit: `in ${UNITS[data.step]}` },
  classes: { classes: data.classes, unit: `${data.way} in ${UNITS[data.step]}` },
  inside: { classes: data.inside, unit: "inside at a time" },
});

const table = (host, data) => {
  const daily = data.step === "day";
  const columns = { ...data.flow, ...Object.fromEntries(Object.entries(data.inside).map(([name, values]) => [`inside ${name}`, values])) };
  const names = Object.keys(columns);
  const title = `${{ minute: "Minute", hour: "Hour", day: "Day" }[data.step]} (UTC)`;
  const head = make("tr", {}, ...[title, "watched", ...names].map((text) => make("th", { scope: "col" }, text)));
  const rows = data.times.map((time, index) => {
    const share = data.watched[index];
    const told = share ? `${number(100 * share)} %` : "not watched";
    const cells = names.map((name) => make("td", {}, number(columns[name][index])));
    return make("tr", {}, make("th", { scope: "row" }, daily ? time.slice(0, 10) : when(time, { day: true })), make("td", {}, told), ...cells);
  });
  host.replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows.reverse()));
};

const page = document.querySelector("[data-counts]");
const hosts = [...page.querySelectorAll("[data-chart]")];
try {
  const data = await ask(page.dataset.counts);
  const known = charts(data);
  for (const host of hosts) {
    const chart = known[host.dataset.chart];
    const there = Object.values(chart.classes).some((values) => values.some((value) => value !== null));
    if (there) new LineChart(host, { ...frame(data), ...chart });
    else host.replaceChildren(make("p", {}, data.watched.some(Boolean) ? "Nothing to show: nothing of the kind happened in this range." : "No video of this range was counted."));
  }
  table(document.getElementById("numbers"), data);
} catch (error) {
  for (const host of hosts) host.replaceChildren(make("p", {}, error.message));
}
