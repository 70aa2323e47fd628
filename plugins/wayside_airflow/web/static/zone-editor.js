// The page of the zone editor: picture, list, options, preview and saving, tied together.

import { make } from "./dom.js";
import { Canvas } from "./zone-canvas.js";
import { Drawing } from "./zone-drawing.js";
import { Keys } from "./zone-keys.js";
import { List } from "./zone-list.js";
import { Options } from "./zone-options.js";
import { Pointer } from "./zone-pointer.js";
import { preview } from "./zone-preview.js";
import { ask } from "./zone-remote.js";
import { Tools } from "./zone-tools.js";

const page = document.querySelector("[data-editor]");
const one = (name) => page.querySelector(`[data-part="${name}"]`);
const act = (name) => page.querySelector(`[data-do="${name}"]`);
const { urls, size, limits, shapes, processor, version, shown, options: told } = JSON.parse(page.dataset.editor);
const { source, camera, kind, number } = processor;
const state = { version, saving: false };
/** One that is not stored yet has no version. */
const fresh = version === 0;

const drawing = new Drawing(shapes, limits);
const canvas = new Canvas(one("stage"), drawing, size);
const tools = new Tools(canvas, (text) => (one("hint").textContent = text));
const list = new List(one("shapes"), drawing, tools);
const options = new Options(one("options"), told);
new Pointer(canvas, tools);
new Keys(canvas, tools);

const changed = () => fresh || drawing.dirty || options.dirty || shown !== version;

/** Only traffic of mode improved looks at lines. */
const lines = () => kind === "traffic" && options.mode !== "match";

/** What does not go together, as the server would say. */
const mismatch = () => {
  const line = drawing.shapes.find((each) => each.kind === "line");
  if (line && !lines()) return `Lines are not counted here: delete “${line.name}”.`;
  return lines() && !drawing.shapes.length ? "Draw a zone or a line first." : "";
};

/** Bring buttons and the line that says what stands in the way up to date. */
const refresh = () => {
  const picked = drawing.current;
  for (const button of page.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === tools.tool));
  act("undo").disabled = !drawing.canUndo && !canvas.draft;
  act("redo").disabled = !drawing.canRedo;
  act("delete").disabled = !picked;
  act("flip").disabled = picked?.kind !== "line";
  act("flip").hidden = !lines();
  one("none").hidden = drawing.shapes.length > 0;
  page.querySelector('[data-tool="line"]').hidden = !lines();
  const obstacle = drawing.obstacle || options.obstacle || mismatch();
  one("obstacle").textContent = obstacle;
  one("obstacle").hidden = !obstacle;
  one("save").disabled = Boolean(obstacle) || !changed() || state.saving;
  if (one("preview")) one("preview").disabled = Boolean(obstacle);
  one("unsaved").hidden = !changed();
};

drawing.addEventListener("change", refresh);
options.addEventListener("change", refresh);
page.addEventListener("tool", refresh);
page.addEventListener("drawn", ({ detail }) => {
  refresh();
  if (!canvas.coarse) list.name(detail.id);
});

const ACTS = {
  undo: () => tools.undo(),
  redo: () => tools.redo(),
  delete: () => tools.dropSelected(),
  flip: () => tools.flip(drawing.selected),
};
for (const button of page.querySelectorAll("[data-do]")) button.addEventListener("click", () => ACTS[button.dataset.do]());
for (const button of page.querySelectorAll("[data-tool]")) {
  // A click that no pointer made came from the keyboard.
  button.addEventListener("click", (event) => tools.start(button.dataset.tool === "select" ? null : button.dataset.tool, { keyboard: event.detail === 0 }));
}

const paths = one("paths");
let fetched = false;
const showPaths = async () => {
  canvas.paths.classList.toggle("off", !paths.checked);
  if (!paths.checked || fetched) return;
  fetched = true;
  const say = one("paths-said");
  try {
    const answer = await ask(urls.paths);
    canvas.walked(answer.paths);
    say.textContent = answer.paths.length ? `${answer.tracks.toLocaleString("en")} tracks, ${answer.days}` : "none yet: they come with the first count";
  } catch (error) {
    say.textContent = error.message;
    fetched = false;
  }
};
paths.addEventListener("change", showPaths);
showPaths();

/** What is saved or previewed. */
const body = () => ({ ...drawing.json, options: options.values, pipeline: options.pipeline });

const said = one("said");
const say = (kind, ...parts) => {
  said.className = `said ${kind}`;
  said.replaceChildren(...parts);
};

const save = async () => {
  state.saving = true;
  refresh();
  say("busy", "Saving …");
  const note = one("note").value.trim() || null;
  try {
    const answer = fresh
      ? await ask(urls.save, { method: "POST", body: { ...body(), source, camera, kind, name: one("name").value, enabled: one("enabled").checked, note } })
      : await ask(urls.save, { method: "PUT", body: { ...body(), note, expected_version: state.version } });
    drawing.keep();
    options.keep();
    // The page again, with the new version in its list.
    location.assign(`${urls.page}/${answer.processor}?saved=${answer.version}`);
  } catch (error) {
    refusal(error);
    state.saving = false;
    refresh();
  }
};

/** Somebody else saved meanwhile: let the user look at it, and decide. */
const refusal = (error) => {
  if (error.status !== 409 || !error.data.version) return say("bad", error.message);
  const { version: newer } = error.data;
  const look = make("a", { class: "button quiet", href: `${urls.page}/${number}?version=${newer}`, target: "_blank", rel: "noopener" }, `Look at version ${newer}`);
  const force = make("button", { type: "button", class: "button quiet" }, `Save mine as version ${newer + 1}`);
  force.addEventListener("click", () => {
    state.version = newer;
    save();
  });
  say("bad", make("b", {}, "Somebody else saved meanwhile. "), `${error.message} `, make("span", { class: "slots" }, look, force));
};

one("save").addEventListener("click", save);
one("note").addEventListener("keydown", (event) => event.key === "Enter" && !one("save").disabled && save());
addEventListener("beforeunload", (event) => (drawing.dirty || options.dirty) && event.preventDefault());

one("preview")?.addEventListener("click", () => {
  const asked = { ...body(), source, camera, kind, processor: number, day: one("day").value };
  preview(one("result"), one("preview"), urls.preview, asked);
});

/** A still that cannot be made: say why. The picture's own request does not tell. */
const still = one("still");
const lost = async () => {
  still.classList.add("gone");
  const why = await ask(still.src).then(() => "The still cannot be shown.", (error) => error.message);
  one("gone").textContent = `${why} You can draw all the same.`;
  one("gone").hidden = false;
};
if (still?.complete && !still.naturalWidth) lost();
still?.addEventListener("error", lost);
still?.addEventListener("load", () => {
  still.classList.remove("gone");
  one("gone").hidden = true;
});
// Another still beneath what is drawn: a new page would lose it.
one("when")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const url = new URL(still.src);
  url.searchParams.set("at", new FormData(one("when")).get("at"));
  still.src = url;
});

/** What `recount_zones` is started with: the days of the form. */
const conf = () => ({ start: one("start").value, end: one("end").value, processors: [number] });
for (const field of [one("start"), one("end")]) field?.addEventListener("input", () => (one("conf").textContent = JSON.stringify(conf(), null, 2)));

const recount = one("recount");
recount?.addEventListener("click", async () => {
  const into = one("recounted");
  recount.disabled = true;
  into.textContent = "Starting …";
  try {
    const answer = await ask(urls.trigger, { method: "POST", body: { logical_date: null, conf: conf() } });
    const link = make("a", { href: `${urls.runs}/${encodeURIComponent(answer.dag_run_id)}`, target: "_top" }, answer.dag_run_id);
    into.replaceChildren("Started: ", link);
  } catch (error) {
    into.textContent = `Not started: ${error.message}`;
  }
  recount.disabled = false;
});

/** Name and switch take effect at once: they are no part of a version. */
const patch = async (values, into, undo) => {
  if (fresh) return;
  try {
    await ask(urls.change, { method: "PATCH", body: values });
    into.textContent = "saved";
  } catch (error) {
    into.textContent = error.message;
    undo();
  }
};
one("name").addEventListener("change", () => one("name").reportValidity() && patch({ name: one("name").value }, one("renamed"), () => (one("name").value = processor.name)));
one("enabled").addEventListener("change", () => {
  const on = one("enabled").checked;
  patch({ enabled: on }, one("switched"), () => (one("enabled").checked = !on));
});

refresh();
