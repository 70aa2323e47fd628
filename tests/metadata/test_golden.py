"""Records equal those that were observed of the replaced system, but for a known list of differences.

The real pictures and what was observed are no part of the project, see `$WAYSIDE_TEST_DATA`; the synthetic pictures
are built from the inputs that the golden file names.
"""

import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.metadata.differences import DIFFERENCES, GAVE_UP, XML_KEYS
from tests.metadata.support import jpeg_with_exif, xml_text

from wayside.metadata.check import check_record
from wayside.metadata.exif import read_exif
from wayside.metadata.keys import KEYS_V1, KEYS_V2
from wayside.metadata.record import PhotoRecord, RecordOptions, extract
from wayside.metadata.redact import personal_texts, redact_xml

LAYOUTS = {"v2": "v2", "v1": "v1", "v2old": "old"}
MODIFIED = datetime.fromtimestamp(1_600_000_000, UTC)
DOCS = Path(__file__).parents[2] / "docs" / "ROAD-PHOTOS.md"
REAL_FOLDER = "Z:\\tilSladding\\2018\\06_Ev134\\Hp05_Damåsen\\F1_2018_06_21\\"


@pytest.fixture(scope="module")
def folder(data):
    return data / "road-photos"


@pytest.fixture(scope="module")
def golden(folder):
    path = folder / "golden_observed.json"
    if not path.is_file():
        pytest.skip(f"there is no {path}: it is part of the test data")
    return json.loads(path.read_text(encoding="utf-8"))


def options(layout, *, compat):
    old = layout == "v1"  # which knew no county, and had a template of its own
    return RecordOptions(
        data_owner="Statens vegvesen",
        county=None if old else 46,
        image_type="360",
        folder_template="Vegbilder\\{relative_input_dir}" if old else "Vegbilder/{relative_input_dir}",
        layout=LAYOUTS[layout],
        compat=compat,
    )


def xml_of(golden, told):
    """Return the XML that an input names: `RL2_FV13 with empty Latitude + IMAGEINFO`."""
    tree = golden["xml"][told.split()[0]]
    children = json.loads(json.dumps(tree["children"]))
    if "empty Latitude" in told:
        gnss = dict(children)["GnssInfo"]
        gnss[[name for name, _ in gnss].index("Latitude")][1] = None
    if "IMAGEINFO" in told:
        children.append(["ImageInfo", [list(item) for item in golden["IMAGEINFO"].items()]])
    return xml_text(tree["root"], children, tree["attrs"])


def picture_of(golden, told):
    if "tags" not in told:
        return jpeg_with_exif(with_exif=False)
    tags = told["tags"]
    return jpeg_with_exif(
        taken=tags["DateTimeOriginal"],
        xp_title=tags["XPTitle"].split(" (")[0],
        model=tags.get("Model"),
        gps=told.get("gps", False),
        image_properties=xml_of(golden, told["ImageProperties"]) if "ImageProperties" in told else None,
        reflink=xml_of(golden, told["Reflink"]) if "Reflink" in told else None,
    )


def cases(golden, folder, layout):
    """Yield each case of a layout: its name, what was observed, the picture, its path."""
    for name, observed in golden["outputs"][layout]["synthetic"].items():
        told = golden["inputs"][name]
        yield name, observed, picture_of(golden, told), told["path"]
    for name, observed in golden["outputs"][layout]["real"].items():
        yield name, observed, (folder / name).read_bytes(), REAL_FOLDER + name


def compared(observed, record):
    """Return where a record differs from what was observed; XML is only there or not."""
    found = {}
    for key, value in observed.items():
        ours = record.values[key]
        if key in XML_KEYS:
            assert (ours is not None) == (value is not None), key
        elif ours != value or type(ours) is not type(value):
            found[key] = ours
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_compat_equals_what_was_observed_field_by_field(golden, folder, layout):
    number = 0
    for name, observed, data, path in cases(golden, folder, layout):
        record = extract(data, path, options(layout, compat=True), MODIFIED)
        if "EXC" not in observed:
            assert compared(observed, record) == {}, name
            number += 1
    assert number == {"v2": 12, "v1": 10, "v2old": 7}[layout]


def test_differences_are_those_that_are_known(golden, folder, capsys):
    found, gave_up = {}, {}
    for layout in LAYOUTS:
        for name, observed, data, path in cases(golden, folder, layout):
            record = extract(data, path, options(layout, compat=False), MODIFIED)
            if "EXC" in observed:
                gave_up[layout, name] = (record.road, record.quality)
                assert record.photo_id
            else:
                found |= {(layout, name, key): ours for key, ours in compared(observed, record).items()}
    assert found == {place: ours for place, (ours, _) in DIFFERENCES.items()}
    assert gave_up == GAVE_UP
    grouped = defaultdict(list)
    for (layout, name, key), (_, reason) in DIFFERENCES.items():
        grouped[reason].append(f"{layout} {name.split('_')[0] if not name.endswith('jpg') else name[-9:-4]} {key}")
    with capsys.disabled():
        print("\nknowing differences from the replaced system's records (docs/ROAD-PHOTOS.md):")
        for reason, places in sorted(grouped.items()):
            print(f"  {reason}: {len(places)} values: {', '.join(places)}")
        print(f"  gave-up: {len(gave_up)} records where it ended with an error")
        print("  redacted: road XML of every record is cleaned, also with `compat`")


def test_every_reason_is_documented():
    text = DOCS.read_text(encoding="utf-8")
    for reason in {reason for _, reason in DIFFERENCES.values()} | {"gave-up", "redacted"}:
        assert f"| `{reason}` |" in text


@pytest.mark.parametrize(("layout", "keys"), [("v2", KEYS_V2), ("v1", KEYS_V1), ("v2old", KEYS_V2)])
def test_keys_are_in_the_observed_order(golden, folder, layout, keys):
    assert len(keys) == (42 if layout == "v1" else 52)
    for _, observed, data, path in cases(golden, folder, layout):
        assert list(extract(data, path, options(layout, compat=False), MODIFIED).values) == list(keys)
        if "EXC" not in observed:
            assert tuple(observed) == keys[: len(observed)]
            assert len(keys) - len(observed) == (0 if layout == "v1" else 1)  # the preview's name came later


def test_published_records_of_version_1_have_the_same_values_and_xml_byte_for_byte(golden, folder):
    for name in golden["outputs"]["v1"]["real"]:
        published = json.loads((folder / f"{name[:-4]}.v1.json").read_text(encoding="utf-8"))
        record = extract((folder / name).read_bytes(), REAL_FOLDER + name, options("v1", compat=False), MODIFIED)
        shared = [key for key in published if key.startswith("exif_")]
        assert len(shared) == 18
        assert {key: record.values[key] for key in shared} == {key: published[key] for key in shared}


def test_xml_of_version_2_is_the_recorders_own_but_for_what_is_hidden(golden, folder):
    for name in golden["outputs"]["v2"]["real"]:
        exif = read_exif((folder / name).read_bytes())
        expected = exif.image_properties
        held = personal_texts(exif)
        assert len(held) == 3
        for element in ("Driver", "CarID", "Comment"):
            before, _, rest = expected.partition(f"<{element}>")
            expected = f"{before}<{element}>FJERNET{rest[rest.index('</') :]}" if rest else expected
        assert redact_xml(exif.image_properties) == expected
        assert not any(text in expected for text in held)


def test_records_keep_to_the_layout_that_the_road_authority_checks(golden, folder):
    told = golden["inputs"]["A_ip+rl2_planar"]
    record: PhotoRecord = extract(picture_of(golden, told), told["path"], options("v2", compat=False), MODIFIED)
    faults = check_record(json.loads(record.to_json()))
    assert [(fault.key, fault.notice) for fault in faults] == [("senterlinjeposisjon", True)]
