// Events looked at: verdicts that are sent without leaving the page, keys, cuts that play in their cards, and labels
// to choose from. Without this script buttons and forms do the same, one page at a time.

const grid = document.querySelector("[data-events]");
const one = document.querySelector("[data-one]");
const words = { open: "to look at", accepted: "accepted", rejected: "rejected", relabelled: "relabelled" };

// What happened is said for a moment, to eyes and ears.

const status = document.querySelector("[data-status]");
let quiet = 0;
const say = (text, bad = false) => {
  status.textContent = text;
  status.classList.toggle("bad", bad);
  clearTimeout(quiet);
  quiet = setTimeout(() => (status.textContent = ""), bad ? 9000 : 2500);
};

// Verdicts

const count = (name, change) => {
  const number = document.querySelector(`[data-count="${name}"] b`);
  if (number) number.textContent = (Number(number.textContent.replaceAll(",", "")) + change).toLocaleString("en");
};

const show = (place, told) => {
  const before = Object.keys(words).find((name) => place.classList.contains(`v-${name}`));
  if (grid && before !== told.verdict) {
    count(before, -1);
    count(told.verdict, 1);
  }
  for (const button of place.querySelectorAll('[name="verdict"][aria-pressed]')) button.setAttribute("aria-pressed", String(button.value === told.verdict));
  for (const name of Object.keys(words)) place.classList.toggle(`v-${name}`, name === told.verdict);
  const badge = place.querySelector("[data-badge]");
  if (badge) {
    badge.textContent = words[told.verdict];
    badge.className = `badge v-${told.verdict}`;
    badge.hidden = told.verdict === "open";
  }
  const verdict = place.querySelector("[data-verdict] .verdict");
  if (verdict) {
    verdict.className = `verdict v-${told.verdict}`;
    verdict.lastChild.textContent = words[told.verdict];
    place.querySelector("[data-by]").textContent = told.author ? `by ${told.author}, just now` : "";
    place.querySelector("[data-undo]").hidden = told.verdict === "open";
  }
};

const chips = (labels) =>
  labels.map((label) => {
    const chip = document.createElement("span");
    chip.className = "chip";
    chip.append(document.createElement("i"), label);
    return chip;
  });

const send = async (place, fields) => {
  const form = place.querySelector("form[data-say]");
  const time = place.querySelector("time")?.textContent ?? "";
  const body = new URLSearchParams(fields);
  const answer = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" }, body }).catch(() => null);
  const told = await answer?.json().catch(() => null);
  if (!answer?.ok) {
    say(`Not saved: ${told?.detail ?? "the server does not answer"}`, true);
    return false;
  }
  const before = place.classList.contains("v-relabelled") || place.querySelector("[data-verdict] .v-relabelled");
  if (one && (told.verdict === "relabelled" || before)) {
    location.reload(); // what it shows is told in several places
    return true;
  }
  show(place, told);
  if (told.verdict === "relabelled") {
    place.querySelector("[data-labels]").replaceChildren(...chips(told.given));
    place.dataset.given = told.given.join(", ");
  }
  say(`${time} ${told.verdict === "open" ? "taken back" : words[told.verdict]}`.trim());
  return true;
};

addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-say]");
  if (!form) return;
  event.preventDefault();
  send(form.closest("[data-event]"), new FormData(form, event.submitter));
});

// Cuts. One that cannot be made just now is asked for again; a player does not say why it has failed, so we ask.

const explain = async (video, tries = 0) => {
  const answer = await fetch(video.src, { method: "HEAD" }).catch(() => null);
  if (answer?.status === 503 && tries < 6) {
    setTimeout(() => {
      video.addEventListener("error", () => explain(video, tries + 1), { once: true });
      video.load();
    }, 1000 * Number(answer.headers.get("Retry-After") ?? 5));
    return "The cut is being made …";
  }
  if (answer?.ok) return "This browser cannot play H.264.";
  const told = await fetch(video.src).then((reply) => reply.json()).catch(() => null);
  return `It cannot be played: ${told?.detail ?? "the server does not answer"}`;
};

const watched = (video, tell) => {
  video.addEventListener("error", async () => tell(await explain(video)), { once: true });
  video.addEventListener("loadeddata", () => tell(""));
  return video;
};

const player = document.querySelector(".player video");
if (player) {
  const tell = (text) => (document.querySelector("[data-player]").textContent = text);
  watched(player, tell);
  if (player.error) explain(player).then(tell);
}

const stop = () => {
  for (const video of grid?.querySelectorAll("video") ?? []) video.remove();
};

const play = (card) => {
  const playing = card.querySelector("video");
  if (playing) return playing.paused ? playing.play() : playing.pause();
  stop();
  if (!card.dataset.cut) return say("There is no video of this event", true);
  const video = document.createElement("video");
  Object.assign(video, { src: card.dataset.cut, muted: true, loop: true, autoplay: true, playsInline: true });
  card.querySelector(".frame").append(watched(video, (text) => text && say(text, text.startsWith("It") || text.startsWith("This"))));
};

// Keys

const here = () => document.activeElement?.closest?.("li[data-event]") ?? grid.querySelector(".now");

const go = (item) => {
  if (!item) return;
  stop();
  grid.querySelector(".now")?.classList.remove("now");
  item.classList.add("now");
  item.querySelector(".card").focus({ preventScroll: true });
  item.scrollIntoView({ block: "nearest" });
};

const step = (rel) => document.querySelector(`a.step[rel="${rel}"]`)?.click();
const page = (rel) => document.querySelector(`.pager a[rel="${rel}"]`)?.click();

const forward = (item) => {
  const next = item ? item.nextElementSibling : grid.firstElementChild;
  return next ? go(next) : page("next");
};
const back = (item) => (item?.previousElementSibling ? go(item.previousElementSibling) : page("prev"));

const inGrid = {
  j: forward,
  k: back,
  a: async (item) => item && (await send(item, { verdict: "accepted" })) && forward(item),
  r: async (item) => item && (await send(item, { verdict: "rejected" })) && forward(item),
  u: (item) => item && send(item, { verdict: "none" }),
  l: (item) => item && ask(item),
  " ": (item) => item && play(item.querySelector(".card")),
};

const onPage = {
  j: () => step("next"),
  k: () => step("prev"),
  a: async () => (await send(one, { verdict: "accepted" })) && step("next"),
  r: async () => (await send(one, { verdict: "rejected" })) && step("next"),
  u: () => send(one, { verdict: "none" }),
  l: () => document.querySelector("#labels").focus(),
  " ": () => player && (player.paused ? player.play() : player.pause()),
};

addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.repeat) return;
  if (event.target.closest("input, select, textarea, dialog, video")) return;
  if (event.key === " " && event.target.closest("button, summary")) return;
  const act = grid ? inGrid[event.key] : one && onPage[event.key];
  if (!act) return;
  const item = grid && here();
  if (grid && !item && event.key !== "j" && event.key !== "k") return;
  event.preventDefault();
  act(item);
});

grid?.addEventListener("focusin", (event) => {
  const item = event.target.closest("li[data-event]");
  const now = grid.querySelector(".now");
  if (item === now) return;
  now?.classList.remove("now");
  item?.classList.add("now");
});

// Other labels: a dialog in the grid, a form on the page of one event. What is known is offered as it is typed.

const known = [...document.querySelectorAll("#known option")].map((option) => option.value);

const offer = (form) => {
  const input = form.querySelector('[name="labels"]');
  const place = form.querySelector("[data-suggestions]");
  const fill = () => {
    const parts = input.value.split(",").map((part) => part.trim());
    const begun = parts.pop().toLocaleLowerCase();
    const fitting = known.filter((label) => !parts.includes(label) && label.toLocaleLowerCase().includes(begun) && label.toLocaleLowerCase() !== begun);
    place.replaceChildren(
      ...fitting.slice(0, 12).map((label) => {
        const button = document.createElement("button");
        Object.assign(button, { type: "button", className: "button quiet", textContent: label });
        button.addEventListener("click", () => {
          input.value = [...parts, label].join(", ");
          input.focus();
          fill();
        });
        return button;
      }),
    );
  };
  input.removeAttribute("list");
  input.oninput = fill;
  fill();
};

const dialog = document.querySelector("dialog#relabel");

const ask = (item) => {
  const input = dialog.querySelector("input");
  input.value = item.dataset.given ?? "";
  offer(dialog.querySelector("form"));
  dialog.returnValue = "";
  dialog.onclose = async () => {
    item.querySelector(".card").focus();
    if (dialog.returnValue === "save" && (await send(item, { verdict: "relabelled", labels: input.value }))) forward(item);
  };
  dialog.showModal();
  input.focus();
};

for (const link of document.querySelectorAll("[data-relabel]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    ask(link.closest("[data-event]"));
  });
}

const form = document.querySelector("form.relabel");
if (form) offer(form);
