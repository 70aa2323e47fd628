"""The configuration: what is shipped, what is refused with file and key, and what stands behind a variable."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.sources import SourceSpec, load_sources, open_source
from wayside.sources.folder import FolderSource
from wayside.sources.registry import find_source
from wayside.sources.tfl import TflSource
from wayside.sources.urban_observatory import UrbanObservatorySource
from wayside.sources.url_list import UrlListSource

SHIPPED = Settings(_env_file=None)
TFL = {"id": "S", "kind": "tfl", "url": "https://api.example.org/list"}


def write(settings: Settings, text: str) -> Settings:
    (settings.config / "sources.yaml").write_text(text)
    return settings


def test_what_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYSIDE_DEMO_URL", raising=False)
    found = load_sources(SHIPPED)
    assert [name for name, spec in found.items() if spec.enabled] == ["Demo-city", "Demo-observatory"]
    assert found["Demo-city"].keep_days is None
    assert found["Demo-city"].url == "http://127.0.0.1:8765/Place/Type/JamCam"
    assert found["Demo-observatory"].url == "http://127.0.0.1:8765/api/v2/sensors"
    for name in ("TfL-images", "NETravelData-images"):
        spec = found[name]
        assert spec.url.startswith("https://")
        assert spec.shrink
        assert spec.attribution
        assert spec.keep_days == 28
        assert not spec.allow_loopback
    assert ("s3-eu-west-1.amazonaws.com", 443) in found["TfL-images"].peers


def test_a_variable_moves_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYSIDE_DEMO_URL", "http://[::1]:9")
    assert find_source(SHIPPED, "Demo-city").url == "http://[::1]:9/Place/Type/JamCam"
    monkeypatch.setenv("WAYSIDE_DEMO_URL", "")
    assert find_source(SHIPPED, "Demo-city").url.startswith("http://127.0.0.1:8765/")


def test_variables_are_replaced_in_lists_and_mappings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_HOST", "cam.example.org")
    text = "sources: {S: {kind: url_list, url: a.json, hosts: ['${CAMERA_HOST:-x}'], headers: {Referer: '${NONE:-y}'}}}"
    spec = find_source(write(settings, text), "S")
    assert (spec.hosts, dict(spec.headers)) == (("cam.example.org",), {"Referer": "y"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("a: [", "is not YAML"),
        ("", "the file must map"),
        ("- a", "the file must map"),
        ("cameras: {}", "one key at the top is `sources`"),
        ("sources: [a]", "sources must map"),
        ("sources: {S: 7}", "sources.S must map"),
        ("sources: {S: {}, S: {}}", "key 'S' is written twice"),
        ("sources: {S: {kind: ftp, url: x}}", "sources.S.kind: Input should be"),
        ("sources: {S: {kind: tfl}}", "sources.S.url: Field required"),
        ("sources: {S: {kind: tfl, url: 'https://a.b/', shrnk: true}}", "sources.S.shrnk: Extra inputs"),
        (
            "sources: {S: {kind: tfl, url: 'https://a.b/', keep_days: 0}}",
            "sources.S.keep_days: Input should be greater",
        ),
        ("sources: {a b: {kind: tfl, url: 'https://a.b/'}}", "sources.a b.id: source 'a b' is not valid"),
        ("sources: {S: {kind: tfl, url: 'https://a.b/', cameras: [.x]}}", "sources.S.cameras.0: .*not valid"),
        ("sources: {S: {kind: tfl, url: x}, T: {kind: tfl, url: y}}", "sources.S: .*sources.T: "),
    ],
)
def test_mistakes_are_told_with_file_and_key(settings: Settings, text: str | None, says: str) -> None:
    if text is not None:
        write(settings, text)
    with pytest.raises(ConfigError, match=says) as caught:
        load_sources(settings)
    assert "sources.yaml" in str(caught.value)


def test_an_unknown_source_names_the_known_ones(settings: Settings) -> None:
    write(settings, "sources: {S: {kind: tfl, url: 'https://a.b/'}}")
    with pytest.raises(ConfigError, match=r"no source 'T'.*has S"):
        find_source(settings, "T")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"url": "ftp://api.example.org"}, "not an http"),
        ({"url": "https://"}, "not an http"),
        ({"url": "http://[::1"}, "not an http"),
        ({"url": "https://a.example.org:99999/"}, "not an http"),
        ({"kind": "url_list", "url": "a.json"}, "needs the hosts"),
        ({"hosts": ["a b"]}, "hosts"),
        ({"hosts": ["https://a.example.org"]}, "hosts"),
        ({"hosts": ["a.example.org/path"]}, "hosts"),
        ({"hosts": ["*.example.org"]}, "hosts"),
        ({"hosts": [""]}, "hosts"),
        ({"hosts": ["a:b:c"]}, "hosts"),
        ({"hosts": ["[::1]8080"]}, "hosts"),
        ({"hosts": ["[::1]:0"]}, "hosts"),
        ({"hosts": ["a:x"]}, "hosts"),
        ({"allow_loopback": True}, "allow_loopback"),
        ({"allow_loopback": True, "hosts": ["localhost", "127.0.0.2", "10.0.0.1"]}, "allow_loopback"),
        ({"private_networks": ["169.254.0.0/16"]}, "never opened"),
        ({"private_networks": ["0.0.0.0/0"]}, "never opened"),
        ({"private_networks": ["::/0"]}, "never opened"),
        ({"private_networks": ["fd00::/8"]}, "never opened"),
        ({"private_networks": ["100.64.0.0/10"]}, "never opened"),
        ({"private_networks": ["10.0.0.1/8"]}, "host bits"),
        ({"headers": {"Host": "x"}}, "cannot be set"),
        ({"headers": {"X Y": "x"}}, "cannot be set"),
        ({"headers": {"Referer": "a\r\nX: y"}}, "cannot be printed"),
        ({"cameras": ["a"], "cameras_file": "b"}, "one of them"),
        ({"concurrency": 0}, "greater than 0"),
    ],
)
def test_specs_that_are_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SourceSpec.model_validate(TFL | fields)


@pytest.mark.parametrize(
    ("hosts", "peers"),
    [
        (["A.Example.org"], {("a.example.org", 80), ("a.example.org", 443)}),
        (["a.example.org:8080"], {("a.example.org", 8080)}),
        (["::1", "[::2]:8080"], {("::1", 80), ("::1", 443), ("::2", 8080)}),
        (["10.0.0.7:81"], {("10.0.0.7", 81)}),
    ],
)
def test_hosts_and_ports(hosts: list[str], peers: set[tuple[str, int]]) -> None:
    spec = SourceSpec.model_validate(TFL | {"hosts": hosts})
    assert spec.peers == peers | {("api.example.org", 443)}


@pytest.mark.parametrize(
    ("kind", "opened"),
    [
        ("tfl", TflSource),
        ("urban_observatory", UrbanObservatorySource),
        ("url_list", UrlListSource),
        ("folder", FolderSource),
    ],
)
def test_each_kind_is_opened(kind: str, opened: type) -> None:
    spec = SourceSpec.model_validate(TFL | {"kind": kind, "hosts": ["example.org"]})
    assert isinstance(open_source(spec), opened)


def test_a_file_that_is_no_text(settings: Settings, tmp_path: Path) -> None:
    (settings.config / "sources.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_sources(settings)
