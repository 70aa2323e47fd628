"""The page `docs/MODELS.md`, written from the model cards."""

from collections.abc import Iterable, Iterator

from pydantic import JsonValue

from wayside.vision.cards import Accuracy, ModelCard

_HEAD = """\
# Models

Written from the cards in `models/`; edit those. `wayside models pull NAME` fetches the weights of a model that does not
come with Wayside, checks their hash and keeps them in the state folder. Figures are percentages.

| model | task | finds | input | size | licence | accuracy |
|---|---|---|---|---|---|---|"""


def catalogue_markdown(cards: Iterable[ModelCard]) -> str:
    """Write the page: a table of all models, those that we trained first, then one section a model."""
    ordered = sorted(cards, key=lambda card: (not card.training, card.task, card.name))
    lines = [_HEAD, *(_table_row(card) for card in ordered)]
    for card in ordered:
        lines += ["", f"## {card.name}", *_section(card)]
    return "\n".join(lines) + "\n"


def _table_row(card: ModelCard) -> str:
    cells = (
        f"[{card.name}](#{card.name.lower()})",
        f"{card.task}, masks" if card.masks else card.task,
        ", ".join(card.labels),
        f"{card.input.width} × {card.input.height}",
        f"{card.size_bytes / 1e6:.1f} MB" if card.size_bytes else "unknown",
        card.licence,
        "; ".join(_figure(figure) for figure in card.accuracy) or "not stated",
    )
    return f"| {' | '.join(cells)} |"


def _figure(figure: Accuracy) -> str:
    who = "measured" if figure.measured else "published"
    return f"{figure.metric} {figure.value:g} on {figure.dataset} ({who})"


def _section(card: ModelCard) -> Iterator[str]:
    """Yield what one card says, leaving out what it leaves out."""
    for text in (card.summary, card.notes):
        if text:
            yield from ("", text)
    yield ""
    yield f"- file: `{card.file}`"
    unknown = "recorded at the first pull" if card.urls else "to be written into the card"
    yield f"- SHA-256: `{card.sha256}`" if card.sha256 else f"- SHA-256: {unknown}"
    yield f"- source: {card.source}"
    for url in card.urls:
        yield f"- address: <{url}>"
    yield f"- thresholds: score {card.thresholds.score:g}, overlap {card.thresholds.nms_iou or 'not used'}"
    for name, value in card.training.items():
        yield from _facts(f"training, {name}", value)


def _facts(name: str, value: JsonValue) -> Iterator[str]:
    """Yield a training fact as lines of a list: one line for each entry of a list or of a nested group."""
    if isinstance(value, list):
        for part in value:
            yield from _facts(name, part)
    elif isinstance(value, dict) and any(isinstance(part, dict | list) for part in value.values()):
        for key, part in value.items():
            yield from _facts(f"{name}, {key}", part)
    elif isinstance(value, dict):
        yield f"- {name}: " + "; ".join(f"{key} {part}" for key, part in value.items())
    else:
        yield f"- {name}: {value}"
