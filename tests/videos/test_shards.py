"""Shards: the division that the video importer's README shows, and what holds of any."""

from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.core.errors import ConfigError
from wayside.videos.shards import pack


def test_the_division_of_the_readme():
    assert [len(shard) for shard in pack([512] * 4099, max_items=10_000, max_bytes=2**20)] == [2048, 2048, 3]
    assert [len(shard) for shard in pack([512] * 4099, max_items=10_000)] == [2048, 2048, 3]
    assert [len(shard) for shard in pack([512] * 4099, max_items=2000)] == [2000, 2000, 99]


def test_one_that_is_too_large_is_alone():
    assert pack([1, 9, 1, 1], max_items=9, max_bytes=2) == [range(1), range(1, 2), range(2, 4)]
    assert pack([9, 9], max_items=9, max_bytes=2) == [range(1), range(1, 2)]
    assert pack([], max_items=1) == []


@pytest.mark.parametrize(("sizes", "items", "size"), [([1], 0, 1), ([1], 1, 0), ([-1], 1, 1)])
def test_limits_that_are_none(sizes: list[int], items: int, size: int):
    with pytest.raises(ConfigError):
        pack(sizes, max_items=items, max_bytes=size)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 50)), st.integers(1, 9), st.integers(1, 60))
def test_what_holds_of_any_division(sizes: list[int], items: int, size: int):
    shards = pack(sizes, max_items=items, max_bytes=size)
    assert [position for shard in shards for position in shard] == list(range(len(sizes)))
    for shard, after in zip_longest(shards, shards[1:]):
        held = sum(sizes[position] for position in shard)
        assert 1 <= len(shard) <= items
        assert held <= size or len(shard) == 1
        if after is not None:  # it was full
            assert len(shard) == items or held + sizes[after[0]] > size
