// Jobs that are at work are looked at again every few seconds; what the page says of them is replaced, nothing else.

const PAUSE = 5000;

// Where somebody is: a link or an open list must be found again in what takes its place.
const nameOf = (element) => element?.getAttribute?.("href") ?? null;

const renew = (old, fresh) => {
  const focused = old.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  [...fresh.querySelectorAll("details")].forEach((one, place) => (one.open = open[place] ?? one.open));
  old.replaceWith(document.adoptNode(fresh));
  if (focused) [...fresh.querySelectorAll("a[href]")].find((link) => nameOf(link) === focused)?.focus({ preventScroll: true });
};

const look = async () => {
  const part = document.querySelector("[data-refresh]");
  if (!part?.hasAttribute("data-busy")) return;
  if (!document.hidden) {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    const fresh = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-refresh]");
    if (fresh && fresh.innerHTML !== part.innerHTML) renew(part, fresh);
  }
  setTimeout(look, PAUSE);
};

setTimeout(look, PAUSE);
