// What every page does: forms that send themselves, the switch for boxes, arrow keys, and pictures that are gone.

for (const form of document.querySelectorAll("form[data-submit]")) {
  form.addEventListener("change", () => {
    if (form.checkValidity()) form.requestSubmit();
  });
}

// On a narrow screen the tabs scroll: the one that is shown is in sight.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Empty fields would only make the address longer.
addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});

const remembered = (name, fallback) => {
  try {
    return localStorage.getItem(`wayside.${name}`) ?? fallback;
  } catch {
    return fallback;
  }
};

const remember = (name, value) => {
  try {
    localStorage.setItem(`wayside.${name}`, value);
  } catch {
    // Then it lasts as long as the page.
  }
};

const showBoxes = (on) => {
  document.documentElement.classList.toggle("no-boxes", !on);
  for (const button of document.querySelectorAll("[data-boxes]")) button.setAttribute("aria-pressed", String(on));
};
showBoxes(remembered("boxes", "on") === "on");
for (const button of document.querySelectorAll("[data-boxes]")) {
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    remember("boxes", on ? "on" : "off");
    showBoxes(on);
  });
}

addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest("input, select, textarea, [data-keys]")) return;
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const link = rel && document.querySelector(`a.step[rel="${rel}"]`);
  if (link) {
    event.preventDefault();
    link.click();
  }
});

const gone = (image) => image.closest(".frame")?.classList.add("gone");
for (const image of document.querySelectorAll(".frame img")) {
  if (image.complete && !image.naturalWidth && image.getAttribute("loading") !== "lazy") gone(image);
  image.addEventListener("error", () => gone(image));
}

// A row of the table of objects lights its box up.
for (const row of document.querySelectorAll("tr[data-row]")) {
  const box = document.querySelector(`.big [data-box="${row.dataset.row}"]`);
  const light = (on) => () => box?.classList.toggle("lit", on);
  row.addEventListener("mouseenter", light(true));
  row.addEventListener("mouseleave", light(false));
  row.addEventListener("focus", light(true));
  row.addEventListener("blur", light(false));
}

// The names of all cameras are fetched when somebody wants to choose one.
const field = document.querySelector("input[data-names]");
field?.addEventListener(
  "focus",
  async () => {
    const answer = await fetch(field.dataset.names);
    if (!answer.ok) return;
    const { cameras } = await answer.json();
    field.list.replaceChildren(...cameras.map(({ camera, name }) => new Option(name, camera)));
  },
  { once: true },
);

// On the newest slot: ask each minute whether there is a newer one, and offer it. Nothing moves under the reader's eyes.
const live = document.querySelector("[data-live]");
const look = async () => {
  if (document.hidden) return;
  const answer = await fetch(`${document.documentElement.dataset.base}/health`).catch(() => null);
  if (!answer?.ok) return;
  const { sources } = await answer.json();
  const newest = sources.find(({ source }) => source === live.dataset.source)?.newest;
  if (!newest || newest <= live.dataset.live) return;
  const link = document.createElement("a");
  link.className = "button fresh";
  link.href = location.pathname + location.search;
  link.textContent = `Show slot ${newest.slice(9, 11)}:${newest.slice(11, 13)}`;
  live.querySelector(".fresh")?.remove();
  live.querySelector(".slots").append(link);
};
if (live) setInterval(look, 60_000);
