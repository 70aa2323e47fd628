"""Label whitelists: a filter, compared exactly."""

import pytest
from tests.videos.shared_data import SHARED, needs_shared

from wayside.core.errors import ConfigError
from wayside.videos.whitelist import Whitelist


def test_it_filters_and_keeps_the_order():
    wanted = Whitelist.parse('["tuna", "bluefin tuna", "tuna"]')
    assert wanted.labels == ("tuna", "bluefin tuna")
    assert wanted.keep(["bluefin tuna", "Tuna", "shark", "tuna"]) == ["bluefin tuna", "tuna"]


def test_composed_and_decomposed_are_the_same_label():
    assert Whitelist(("a\u030a",)).wants("å")


@pytest.mark.parametrize("text", ["", " \n", "[]"])
def test_nothing_said_wants_all(text: str):
    wanted = Whitelist.parse(text)
    assert not wanted
    assert wanted.wants("")


@pytest.mark.parametrize("text", ["tuna", '{"tuna": 1}', '["tuna",]', '["tuna", 1]', '"tuna"'])
def test_what_is_no_list_of_texts(text: str):
    with pytest.raises(ConfigError, match="label whitelist: "):
        Whitelist.parse(text)


def test_it_has_an_end():
    with pytest.raises(ConfigError, match="at most"):
        Whitelist(tuple(map(str, range(10_001))))


@needs_shared
def test_the_sample_of_the_importer():
    wanted = Whitelist.parse((SHARED / "label_whitelist.json").read_text())
    assert wanted.labels == ("tuna", "fish", "_ml_human", "marlin", "yellowfin tuna", "bluefin tuna")
