"""The division of cameras into shards."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from wayside.core.slots import Slot
from wayside.sources.source import Camera
from wayside.stills.plan import Shard, chunk, divide

SLOT = Slot.parse("20260616T0700Z")


def cameras(*names: str) -> list[Camera]:
    return [Camera(source="City", id=name, name=name) for name in names]


@given(st.lists(st.integers()), st.integers(1, 40))
def test_chunks_are_the_list_cut_in_order_and_evenly(items: list[int], parts: int):
    pieces = [list(chunk(items, part, parts)) for part in range(parts)]
    assert list(itertools.chain.from_iterable(pieces)) == items
    sizes = [len(piece) for piece in pieces]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(0, 60), st.integers(1, 25))
def test_there_are_as_few_shards_as_hold_so_many_each(number: int, per_shard: int):
    listed = cameras(*(f"c{camera}" for camera in range(number)))
    shards = divide("City", SLOT, listed, per_shard)
    assert [shard.part for shard in shards] == list(range(len(shards)))
    assert all(shard.parts == len(shards) for shard in shards)
    sizes = [len(chunk(listed, shard.part, shard.parts)) for shard in shards]
    assert sum(sizes) == number
    assert all(0 < size <= per_shard for size in sizes)
    assert (len(shards) - 1) * per_shard < number or not shards


def test_a_plan_is_known_by_its_cameras_and_nothing_else():
    one = divide("City", SLOT, cameras("a", "b"), 10)[0]
    assert one.plan == divide("City", SLOT.next, cameras("a", "b"), 1)[0].plan
    renamed = [camera.model_copy(update={"name": "x", "url": "http://127.0.0.1/"}) for camera in cameras("a", "b")]
    assert one.plan == divide("City", SLOT, renamed, 10)[0].plan
    others = [cameras("a"), cameras("a", "c"), cameras("b", "a"), cameras("ab"), cameras("a", "b", "c")]
    plans = {divide("City", SLOT, other, 10)[0].plan for other in others}
    assert len(plans) == len(others)
    assert one.plan not in plans


def test_a_shard_passes_between_tasks_as_plain_values():
    shard = divide("City", SLOT, cameras("a", "b", "c"), 2)[1]
    fields = shard.model_dump(mode="json")
    assert fields == {"source": "City", "slot": "20260616T0700Z", "plan": shard.plan, "part": 1, "parts": 2}
    assert Shard.model_validate(fields) == shard
    assert (shard.when, shard.label) == (SLOT, "City 2/2")
    with pytest.raises(ValidationError):
        Shard.model_validate({"source": "City"})
