"""Hook data of the video importer: what counts, what is refused, and what must not be kept."""

import pytest
from tests.videos.shared_data import SHARED, needs_shared

from wayside.core.errors import ConfigError
from wayside.videos.hookdata import CameraPlan, HookData, Plan, fitted


def test_a_camera_stands_over_all():
    data = HookData.parse(
        '{"plan": "PRO", "img_y_size_cover": 1080, "img_x_size_cover": 1920,'
        ' "cameras": {"A": {"plan": "Basic", "img_y_size_cover": 480}, "B": {"img_x_size": 640}}}'
    )
    assert data.of("A") == CameraPlan(Plan.BASIC, cover_x=1920, cover_y=480)
    assert data.of("B") == CameraPlan(Plan.PRO, cover_x=1920, cover_y=1080, image_x=640)
    assert data.of("elsewhere") == CameraPlan(Plan.PRO, cover_x=1920, cover_y=1080)
    assert data.warnings == ()


def test_without_a_plan_it_is_plus_and_somebody_is_told():
    for text in ("", "{}", '{"img_y_size": 480}', '{"cameras": {"A": {}}}'):
        data = HookData.parse(text)
        assert data.of("A").plan is Plan.PLUS
        assert data.warnings == ("hook data: no plan is given, so it is plus",)
    assert HookData.parse('{"cameras": {"A": {"plan": "pro"}}}').warnings == ()


def test_sizes_of_pictures_keep_the_shape_and_never_grow():
    assert fitted(3840, 2160, 1920, 1080) == (1920, 1080)
    assert fitted(1080, 3840, 1920, 1080) == (304, 1080)
    assert fitted(640, 480, 1920, 1080) == (640, 480)
    assert fitted(640, 400, None, 100) == (160, 100)
    assert fitted(640, 400, 64, None) == (64, 40)
    assert fitted(640, 480, None, None) == (640, 480)
    assert fitted(8192, 16, 16, None) == (16, 1)


def test_a_later_text_stands_over_an_earlier_one():
    data = HookData.parse('{"plan": "basic", "img_y_size": 480}', "", '{"plan": "pro"}')
    assert data.of("A") == CameraPlan(Plan.PRO, image_y=480)


def test_secrets_are_dropped_and_never_told():
    secret = "s3cret-value"
    data = HookData.parse(
        f'{{"plan": "pro", "access_token": "{secret}", "ip_address": "{secret}", "device_id": "{secret}", "test": true,'
        f' "colour": "{secret}", "cameras": {{"A": {{"access_token": "{secret}", "zoom": "{secret}"}}}}}}'
    )
    assert secret not in repr(data) + data.as_json() + str(data.of("A"))
    assert data.warnings == ("hook data: colour means nothing here", "hook data: zoom means nothing here")
    assert HookData.parse(data.as_json()).of("A") == data.of("A")


def test_one_form_that_reads_back():
    data = HookData.parse('{"plan": "PRO", "cameras": {"Måløy": {"img_y_size": 480}}, "img_x_size": 100}')
    again = HookData.parse(data.as_json())
    assert (again, again.as_json()) == (data, data.as_json())
    assert data.config_of("Måløy") == {"name": "Måløy", "plan": "pro", "img_x_size": 100, "img_y_size": 480}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{\n "plan": "pro",\n}', "no JSON at line 3, column 1: a comma that nothing follows"),
        ('{"plan": "pro"', "no JSON at line 1, column 15"),
        ('{"plan": "gold"}', "the plan is 'gold': choose basic, plus or pro"),
        ('{"plan": 1}', "the plan is '1'"),
        ('{"plan": null}', "the plan is 'None'"),
        ('{"cameras": {"A": {"plan": "x"}}}', "the plan of camera 'A' is 'x'"),
        ('{"cameras": ["A"]}', "`cameras` is no object"),
        ('{"cameras": {"A": 1}}', "of camera 'A' is no object"),
        ('{"img_y_size": "480"}', "img_y_size is '480': write whole pixels"),
        ('{"img_y_size": 0}', "img_y_size is '0'"),
        ('{"img_y_size": true}', "img_y_size is 'True'"),
        ('{"img_y_size": 1e300}', "img_y_size is '1e+300'"),
        ('{"img_y_size": NaN}', "NaN is no number of JSON"),
        ('{"plan": "pro", "plan": "plus"}', "the key 'plan' comes twice"),
        ("[]", "write a JSON object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"img_y_size": ' + "9" * 5000 + "}", "hook data: "),
        (" " * 2**21, "longer than"),
    ],
)
def test_what_is_refused(text: str, says: str):
    with pytest.raises(ConfigError) as caught:
        HookData.parse(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300


@needs_shared
def test_the_sample_of_the_importer():
    data = HookData.parse((SHARED / "sample_hook_data.json").read_text())
    assert data.of("C2_Hi") == CameraPlan(Plan.PRO, extraction_y=1080, cover_x=1920, cover_y=1080)
    assert data.warnings == ()
