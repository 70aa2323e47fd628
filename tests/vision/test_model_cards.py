"""Cards: those that come with Wayside, and those that are wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from wayside.core.errors import ModelError
from wayside.core.settings import Settings
from wayside.vision.adapters import adapter_for
from wayside.vision.cards import ModelCard, read_cards
from wayside.vision.catalogue import catalogue_markdown
from wayside.vision.labels import RAW_LABELS, with_riders

ROOT = Path(__file__).parents[2]
SHIPPED = read_cards(ROOT / "models")

Make = Callable[..., ModelCard]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_card_of_the_catalogue_is_usable(name: str) -> None:
    card = SHIPPED[name]
    assert card.licence in Settings().allow_licences
    assert adapter_for(card).card is card
    assert card.labels == (with_riders(RAW_LABELS) if card.task == "detect" else (card.task,))
    assert card.urls or card.notes or (ROOT / "models" / card.file).is_file()
    assert card.sha256 or "hash" in card.notes


def test_the_catalogue_names_what_was_asked_for() -> None:
    wanted = {"YoloxNano", "YoloxTiny", "YoloxS", "YoloxM", "NanoDetPlus", "RtmDetTiny", "RtmDetS", "DeimV2Atto"}
    wanted |= {"DFineN", "DFineS", "DFineM", "DFineL", "RfDetrN", "RfDetrS", "RfDetrM", "YuNet"}
    assert wanted <= SHIPPED.keys()


def test_the_page_of_models() -> None:
    page = catalogue_markdown(SHIPPED.values())
    assert page.startswith("# Models\n")
    assert all(f"## {name}\n" in page and f"| [{name}](#{name.lower()}) |" in page for name in SHIPPED)
    assert page == catalogue_markdown(reversed(SHIPPED.values()))


def test_all_facts_of_a_card_are_written_out(make_card: Make) -> None:
    card = make_card(
        notes="Not at night.",
        accuracy=[{"dataset": "set", "metric": "mAP50", "value": 38.4, "measured": True}],
        training={
            "pictures": 2468,
            "data": [{"name": "Somewhere", "licence": "MIT"}, "two"],
            "figures": {"set": {"mAP50": 38.4, "classes": {"bus": 18.9, "car": 68}}},
        },
    )
    page = catalogue_markdown([card])
    assert "| MIT | mAP50 38.4 on set (measured) |" in page
    for line in (
        "for a test",
        "Not at night.",
        "- SHA-256: to be written into the card",
        "- training, pictures: 2468",
        "- training, data: name Somewhere; licence MIT",
        "- training, data: two",
        "- training, figures, set, mAP50: 38.4",
        "- training, figures, set, classes: bus 18.9; car 68",
    ):
        assert f"\n{line}\n" in page


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"classes": "coco81"}, "no set of classes"),
        ({"urls": ["http://example.org/a.onnx"]}, "https"),
        ({"file": "../a.onnx"}, "file"),
        ({"file": "a.pt"}, "file"),
        ({"name": "tiny"}, "name"),
        ({"sha256": "abc"}, "sha256"),
        ({"family": "yolov8"}, "family"),
        ({"family": "yolox"}, "strides"),
        ({"strides": [8]}, "strides"),
        ({"family": "detr"}, "export"),
        ({"export": "dfine"}, "export"),
        ({"thresholds": {"score": 2}}, "score"),
        ({"colour": "rgb"}, "colour"),
    ],
)
def test_a_wrong_card_is_refused_with_its_field(make_card: Make, fields: dict[str, object], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        make_card(**fields)


def test_unreadable_and_double_cards(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: [", encoding="utf-8")
    with pytest.raises(ModelError, match=r"a\.yaml"):
        read_cards(tmp_path)
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00\x01\x02")
    with pytest.raises(ModelError):
        read_cards(tmp_path)
    plain = SHIPPED["YuNet"].model_dump(mode="json")
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(yaml.safe_dump(plain), encoding="utf-8")
    with pytest.raises(ModelError, match="second model"):
        read_cards(tmp_path)
