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
const { urls, size, limits, shapes, version, shown } = JSON.parse(page.dataset.editor);
const state = { version };

const drawing = new Drawing(shapes, limits);
const canvas = new Canvas(one("stage"), drawing, size);
const tools = new Tools(canvas, (text) => (one("hint").textContent = text));
const list = new List(one("shapes"), drawing, tools);
const options = new Options(one("options"));
new Pointer(canvas, tools);
new Keys(canvas, tools);

const changed = () => drawing.dirty || options.dirty || shown !== version;

/** Bring buttons and the line that says what stands in the way up to date. */
const refresh = () => {
  const picked = drawing.current;
  for (const button of page.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === tools.tool));
  act("undo").disabled = !drawing.canUndo && !canvas.draft;
  act("redo").disabled = !drawing.canRedo;
  act("delete").disabled = !picked;
  act("flip").hidden = picked?.kind !== "line";
  one("none").hidden = drawing.shapes.length > 0;
  const obstacle = drawing.obstacle || options.obstacle;
  one("obstacle").textContent = obstacle;
  one("obstacle").hidden = !obstacle;
  one("save").disabled = Boolean(obstacle) || !changed();
  one("preview").disabled = Boolean(obstacle);
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
  one("save").disabled = true;
  say("busy", "Saving …");
  try {
    const note = one("note").value.trim();
    const answer = await ask(urls.save, { method: "PUT", body: { ...body(), note: note || null, expected_version: state.version } });
    drawing.keep();
    options.keep();
    // The page again, with the new version in its list.
    location.assign(`${urls.page}?saved=${answer.version}`);
  } catch (error) {
    refusal(error);
    refresh();
  }
};

/** Somebody else saved meanwhile: let the user look at it, and decide. */
const refusal = (error) => {
  if (error.status !== 409 || !error.data.version) return say("bad", error.message);
  const { version: newer } = error.data;
  const look = make("a", { class: "button quiet", href: `${urls.page}?version=${newer}`, target: "_blank", rel: "noopener" }, `Look at version ${newer}`);
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

one("preview").addEventListener("click", () => preview(one("result"), one("preview"), urls.preview, () => ({ ...body(), day: one("day").value })));

const recount = one("recount");
recount?.addEventListener("click", async () => {
  const into = one("recounted");
  recount.disabled = true;
  into.textContent = "Starting …";
  try {
    const answer = await ask(urls.trigger, { method: "POST", body: { logical_date: null, conf: JSON.parse(recount.dataset.recount) } });
    const link = make("a", { href: `${urls.runs}/${encodeURIComponent(answer.dag_run_id)}`, target: "_top" }, answer.dag_run_id);
    into.replaceChildren("Started: ", link);
  } catch (error) {
    into.textContent = `Not started: ${error.message}`;
    recount.disabled = false;
  }
});

one("name").addEventListener("change", () => patch({ name: one("name").value }));
one("enabled").addEventListener("change", () => patch({ enabled: one("enabled").checked }));

/** Name and switch take effect at once: they are no part of a version. */
const patch = async (values) => {
  const into = one("patched");
  try {
    await ask(urls.change, { method: "PATCH", body: values });
    into.textContent = "Saved";
  } catch (error) {
    into.textContent = error.message;
  }
};

refresh();
