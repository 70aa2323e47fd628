"""Processors and versions of zones: numbers, versions, conflicts, what a killed writer leaves."""

import threading
from pathlib import Path
from typing import Any

import pytest
from tests.zones.lakes import CAMERA, LEFT, MIDDLE, PIPELINE, RIGHT, SOURCE

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.core.tables import PROCESSORS, ZONES
from wayside.counting.zones import ZoneSet
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.errors import StaleVersionError, UnknownProcessorError
from wayside.zones.processor import Pipeline, WatchedCamera
from wayside.zones.registry import Registry


@pytest.fixture
def lake(settings: Settings) -> ParquetWarehouse:
    return ParquetWarehouse(settings.lake)


@pytest.fixture
def registry(lake: ParquetWarehouse, settings: Settings) -> Registry:
    return Registry(lake, settings)


def add(registry: Registry, **changes: Any):
    given = {
        "source": SOURCE, "camera": CAMERA, "kind": "traffic", "name": "Door", "options": {}, "zones": RIGHT,
        "author": "ada", "pipeline": PIPELINE,
    } | changes  # fmt: skip
    return registry.add(**given)


def test_numbers_are_unique_over_all_sources(registry: Registry):
    made = [
        add(registry),
        add(registry, kind="objects"),
        add(registry, source="Elsewhere"),
        add(registry, camera="Street"),
        add(registry, source="Elsewhere", camera="Street"),
    ]
    assert [one.number for one in made] == [1, 2, 3, 4, 5]
    assert [one.camera_number for one in made] == [1, 1, 2, 3, 4]
    assert registry.processors() == made
    assert registry.processors("Elsewhere") == [made[2], made[4]]
    assert registry.cameras() == [
        WatchedCamera(1, SOURCE, CAMERA),
        WatchedCamera(2, "Elsewhere", CAMERA),
        WatchedCamera(3, SOURCE, "Street"),
        WatchedCamera(4, "Elsewhere", "Street"),
    ]


def test_every_edit_is_a_version_and_old_ones_stay(registry: Registry):
    number = add(registry, note="as it was").number
    assert registry.edit_zones(number, LEFT, "bob", "moved", expected_version=1) == 2
    assert registry.edit_zones(number, LEFT, "bob") == 2, "the same shapes are no edit"
    assert registry.edit_zones(number, RIGHT, "eve", expected_version=2) == 3
    assert [(one.version, one.zones, one.note, one.author) for one in registry.versions(number)] == [
        (1, RIGHT, "as it was", "ada"),
        (2, LEFT, "moved", "bob"),
        (3, RIGHT, None, "eve"),
    ]
    assert registry.zones(number).version == registry.processor(number).version == 3
    assert registry.zones(number, 2).zones == LEFT


def test_options_belong_to_a_version_and_a_name_does_not(registry: Registry):
    number = add(registry).number
    add(registry, camera="Other")
    assert registry.change(number, author="bob", name="  Gate ", enabled=False).version == 1
    changed = registry.change(number, author="bob", options={"score": 0.7}, pipeline="Fps2_WaysideV1")
    assert (changed.version, changed.name, changed.enabled, changed.author) == (2, "Gate", False, "bob")
    assert changed.options.score == 0.7
    old, new = registry.versions(number)
    assert (old.options, old.pipeline.id) == (registry.processor(2).options, PIPELINE)
    assert (new.options.score, new.pipeline.id, new.zones) == (0.7, "Fps2_WaysideV1", RIGHT)


def test_who_comes_second_is_told(registry: Registry):
    number = add(registry).number
    registry.edit_zones(number, LEFT, "bob", expected_version=1)
    with pytest.raises(StaleVersionError, match=r"changed by bob .* has version 2, not 1"):
        registry.edit_zones(number, MIDDLE, "eve", expected_version=1)
    with pytest.raises(StaleVersionError):
        registry.change(number, author="eve", name="x", expected_version=1)
    assert registry.zones(number).zones == LEFT


def test_processors_that_are_added_at_once_get_numbers_of_their_own(registry: Registry):
    threads = [threading.Thread(target=add, args=(registry,), kwargs={"camera": f"C{at}"}) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.number for one in registry.processors()] == [1, 2, 3, 4, 5, 6]
    assert [one.number for one in registry.cameras()] == [1, 2, 3, 4, 5, 6]


def test_a_writer_that_was_killed_between_the_tables_leaves_nothing_to_be_seen(registry: Registry, lake, monkeypatch):
    number = add(registry).number

    def killed(self: Any, table: Any, scope: Any, rows: Any) -> int:
        if table is PROCESSORS:
            raise KeyboardInterrupt
        return publish(self, table, scope, rows)

    publish = ParquetWarehouse.publish
    with monkeypatch.context() as patch:
        patch.setattr(ParquetWarehouse, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            registry.edit_zones(number, LEFT, "bob")
        with pytest.raises(KeyboardInterrupt):
            add(registry, name="Other")
    assert registry.zones(number).version == 1
    assert [one.zones for one in registry.versions(number)] == [RIGHT]
    assert registry.edit_zones(number, MIDDLE, "eve") == 2
    assert add(registry, zones=MIDDLE, name="Third").number == 2
    assert registry.zones(2).zones == MIDDLE
    kept = [row for scope in lake.scopes(ZONES) for row in lake.read(ZONES, scope).to_pylist()]
    assert sorted((row["processor"], row["version"]) for row in kept) == [(1, 1), (1, 2), (2, 1)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"zones": ZoneSet()}, "needs a zone to enter or a line to cross"),
        ({"options": {"mode": "match"}, "zones": MIDDLE}, "does not look at lines"),
        ({"kind": "objects", "zones": MIDDLE}, "does not look at lines"),
        ({"kind": "fish"}, "no kind 'fish'"),
        ({"options": {"speed": 1}}, "speed"),
        ({"options": {"score": 7}}, "score"),
        ({"name": " "}, "1 to 100 characters"),
        ({"name": "x" * 101}, "1 to 100 characters"),
        ({"name": "a\0b"}, "that can be seen"),
        ({"note": "x" * 501}, "500 characters"),
        ({"source": "../x"}, "source"),
        ({"camera": "a/b"}, "camera"),
        ({"pipeline": "StaticObjectFilterV1"}, "like Fps5_WaysideV1"),
        ({"pipeline": "Fps1_Nobody"}, "no model 'Nobody'"),
        ({"pipeline": "Fps1_YuNet"}, "does not find road users"),
        ({"kind": "faces", "pipeline": "Fps1_WaysideV1", "enabled": True}, "does not find faces"),
        ({"kind": "faces", "pipeline": "Fps1_YuNet", "enabled": True}, "wayside models pull YuNet"),
        ({"kind": "faces", "pipeline": "Fps1_YuNet", "options": {"keep": 1}}, "options of faces: keep"),
    ],
)
def test_what_is_wrong_is_refused_and_leaves_nothing(registry: Registry, changes: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        add(registry, **changes)
    assert registry.processors() == []


def test_match_mode_and_objects_may_do_without_zones(registry: Registry):
    add(registry, options={"mode": "match"}, zones=ZoneSet())
    add(registry, kind="objects", zones=ZoneSet())
    assert len(registry.processors()) == 2


def test_faces_are_off_until_somebody_turns_them_on(registry: Registry, settings: Settings):
    made = add(registry, kind="faces", pipeline="Fps1_YuNet")
    assert not made.enabled
    assert not made.options.keep_crops
    with pytest.raises(ConfigError, match="wayside models pull YuNet"):
        registry.change(made.number, author="ada", enabled=True)
    weights: Path = settings.pulled_models / "yunet_n_dynamic.onnx"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    assert registry.change(made.number, author="ada", enabled=True).enabled


def test_what_is_not_there_is_said(registry: Registry):
    add(registry)
    for ask in (lambda: registry.processor(2), lambda: registry.zones(2), lambda: registry.zones(1, 2)):
        with pytest.raises(UnknownProcessorError):
            ask()
    with pytest.raises(UnknownProcessorError):
        registry.edit_zones(2, LEFT, "ada")


@pytest.mark.parametrize(
    ("fps", "text"), [(5, "Fps5_M"), (0.5, "Fps0p5_M"), (12.25, "Fps12p25_M"), (60, "Fps60_M"), (10, "Fps10_M")]
)
def test_a_pipeline_is_read_as_it_is_written(fps: float, text: str):
    assert Pipeline(fps, "M").id == text
    assert Pipeline.parse(text) == Pipeline(fps, "M")


@pytest.mark.parametrize(
    "text",
    ["Fps5", "Fps05_M", "Fps5p0_M", "Fps0_M", "Fps61_M", "Fps5_m", "Fps5_M_N", "fps5_M", "Fps0p05_M", "", "Fps٥_M"],
)
def test_what_is_no_pipeline_is_refused(text: str):
    with pytest.raises(ConfigError):
        Pipeline.parse(text)


def test_more_places_than_a_name_has_are_refused():
    with pytest.raises(ConfigError, match="thousandths"):
        Pipeline(1 / 3, "M")


def test_what_is_not_stored_cannot_be_asked_for(registry: Registry):
    with pytest.raises(ConfigError, match=r"detections below 0\.2 are not stored"):
        add(registry, options={"score": 0.5, "low_score": 0.1})
    with pytest.raises(ConfigError, match=r"detections below 0\.2 are not stored"):
        add(registry, options={"mode": "match", "score": 0.1})
