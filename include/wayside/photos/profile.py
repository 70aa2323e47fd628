"""Profiles: everything that decides what becomes of a folder of road photos, in one model with one file each.

`planar` and `360` lie in `include/config/profiles`; a file of one's own may take their place. A field that a file does
not name has the default of a planar picture, which is that of the replaced system where `photos/oldconfig.py` names no
reason against it. `docs/PROFILES.md` is written from what stands here.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from wayside import __version__
from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.core.yamlfile import parse_yaml, read_text
from wayside.metadata.options import RecordOptions
from wayside.privacy.settings import Fraction, Masking, Part

if TYPE_CHECKING:
    from wayside.vision.decode import Limits

RecordPlace = Literal["output", "input", "archive"]
PreviewPlace = Literal["output", "input", "archive", "separate"]
Seconds = Annotated[float, Field(ge=0, le=3600)]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_BUCKET: Final = "gs://"


class Write(Part):
    """What is written beside the anonymised picture, and where.

    Attributes:
        records: places of the record, `<stem>.json`; empty: none. `archive` needs a run with an archive.
        previews: places of the preview, `<stem>_preview.jpg`, always cut from the anonymised picture.
        separate_preview_folder: root of the previews of `separate`, an absolute path or `gs://bucket/prefix`.
    """

    records: tuple[RecordPlace, ...] = ("output",)
    previews: tuple[PreviewPlace, ...] = ()
    separate_preview_folder: str | None = None

    @field_validator("records", "previews")
    @classmethod
    def _once_each(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(places)) != len(places):
            raise ValueError("a place is named twice")
        return tuple(place for place in ("output", "input", "archive", "separate") if place in places)

    @field_validator("separate_preview_folder")
    @classmethod
    def _absolute(cls, folder: str | None) -> str | None:
        if folder is not None and not (PurePosixPath(folder).is_absolute() or _is_bucket(folder)):
            windows = " (this is a path of Windows)" if PureWindowsPath(folder).drive else ""
            raise ValueError(f"{folder!r} is neither an absolute path nor gs://bucket/prefix{windows}")
        return folder

    @model_validator(mode="after")
    def _separate_has_a_folder(self) -> Self:
        if ("separate" in self.previews) != (self.separate_preview_folder is not None):
            raise ValueError("`separate` among `previews` and `separate_preview_folder` go together")
        return self


class Access(Part):
    """Patience with a share that is out of reach for a while.

    Attributes:
        retry_seconds: wait between two tries.
        timeout_seconds: waits in all, after which the rest of the shard fails and can be run again.
    """

    retry_seconds: Annotated[float, Field(gt=0, le=600)] = 10
    timeout_seconds: Seconds = 60


class Review(Part):
    """Whether a person looks at a run's pictures before any of them is published.

    Attributes:
        enabled: hold all files of a run until a person has looked at some of them.
        sample: share of the pictures that a person should look at, chosen by the hash of each name.
        low_score: a person should look too where an object has a lower score; null: no matter the scores.
    """

    enabled: bool = False
    sample: Fraction = 0.0
    low_score: Fraction | None = None

    @model_validator(mode="after")
    def _shows_something(self) -> Self:
        if self.enabled and not self.sample and self.low_score is None:
            raise ValueError("`enabled` shows nobody a picture: give a `sample` above 0, or a `low_score`")
        return self

    def reasons(self, photo: str, scores: Iterable[float]) -> tuple[str, ...]:
        """Say why a person should look at a picture: `sample`, `low_score`, both or neither.

        The sample depends on the picture's name alone, so that doing it again chooses the same ones.
        """
        digest = int.from_bytes(hashlib.sha256(photo.encode()).digest()[:8]) / 2**64
        low = self.low_score is not None and any(score < self.low_score for score in scores)
        return tuple(reason for reason, holds in (("sample", digest < self.sample), ("low_score", low)) if holds)


class PhotoLimits(Part):
    """What one picture may cost; one that costs more fails with a reason.

    Attributes:
        max_bytes: of the file.
        max_pixels: of the picture. 200 MP are three bytes each while it is open, twice: once as it was, once filled.
    """

    max_bytes: Annotated[int, Field(gt=0, le=2**31 - 1)] = 256 * 2**20
    max_pixels: Annotated[int, Field(gt=0, le=2**29)] = 200_000_000

    @property
    def decoding(self) -> "Limits":
        """The same for `vision.decode`, which is loaded only where pictures are: DAGs read profiles too."""
        from wayside.vision.decode import Limits

        return Limits(self.max_bytes, self.max_pixels)


class Tell(Part):
    """What people are told, by the channels of the installation (mail, webhook), beside what Airflow shows.

    Attributes:
        crash: a run stopped before its end; in Airflow.
        errors: pictures failed; once a run, with their number and reasons.
        finish: a run ended well, with its summary.
    """

    crash: bool = True
    errors: bool = False
    finish: bool = False


class Profile(Part):
    """A whole profile.

    Attributes:
        name: of the profile; that of its file.
        description: for people.
        masking: what is masked and how.
        record: how the record is made.
        write: what is written beside the picture, and where.
        draw: hide what was found; false writes the picture **as it is**, and only counts objects.
        delete_input: delete an input when all that is expected of it lies in place and was verified; needs an archive.
        redo: do again what an earlier run has done.
        access: patience with lost shares.
        review: which pictures wait for a person.
        limits: what one picture may cost.
        tell: what people are told.
        table: layout of the road authority's table: a name in `include/config/photo_tables`, or the path of a YAML
            file. What that table would refuse of a record is said in the picture's row; null: `WAYSIDE_PHOTO_TABLE`.
        shard_pictures: pictures of one task.
    """

    name: Annotated[str, Field(pattern=rf"^{_NAME.pattern}$")]
    description: Annotated[str, Field(max_length=500)] = ""
    masking: Masking = Masking()
    record: RecordOptions = RecordOptions()
    write: Write = Write()
    draw: bool = True
    delete_input: bool = False
    redo: bool = False
    access: Access = Access()
    review: Review = Review()
    limits: PhotoLimits = PhotoLimits()
    tell: Tell = Tell()
    table: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    shard_pictures: Annotated[int, Field(gt=0, le=10_000)] = 100

    @model_validator(mode="before")
    @classmethod
    def _numbers_may_be_names(cls, data: object) -> object:
        """Take `name: 360` and `image_type: 360` for what they mean; YAML takes them for numbers."""
        if not isinstance(data, dict):
            return data
        record = data.get("record")
        if isinstance(record, dict) and type(record.get("image_type")) is int:
            data = data | {"record": record | {"image_type": str(record["image_type"])}}
        return data | {"name": str(data["name"])} if type(data.get("name")) is int else data

    @cached_property
    def sha256(self) -> str:
        """SHA-256, in hex, of what makes the files of a picture: masking, record, write, draw.

        The same for the same settings, however they are written. What else a profile sets changes no file, so that a
        picture that is done stays done.
        """
        content = self.model_dump(mode="json", include={"masking", "record", "write", "draw"})
        text = json.dumps(_canonical(content), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def recording(self) -> RecordOptions:
        """`record`, and where its `version` is empty, Wayside's with the first digits of the hash."""
        if self.record.version:
            return self.record
        return self.record.model_copy(update={"version": f"W{__version__}_{self.sha256[:8]}"})


def load_profile(name_or_path: str, settings: Settings) -> Profile:
    """Return a profile of `include/config/profiles` by name, or one in a file by path (`.yaml` or `.yml`).

    Raises:
        ConfigError: no such profile, or its file is wrong; it names the file and all that is wrong with it.
    """
    path = _path_of(name_or_path, settings.config / "profiles")
    return profile_of(parse_yaml(read_text(path), str(path)), str(path), default_name=path.stem)


def profile_names(settings: Settings) -> list[str]:
    """Return the names of the profiles that come with Wayside or lie beside them."""
    return sorted(path.stem for path in (settings.config / "profiles").glob("*.yaml"))


def profile_of(document: object, where: str, *, default_name: str) -> Profile:
    """Return the profile that a document holds; a `ConfigError` names `where` and all that is wrong."""
    if not isinstance(document, dict):
        raise ConfigError(f"{where}: a profile is a mapping of fields, see docs/PROFILES.md")
    try:
        return Profile.model_validate({"name": default_name} | document)
    except ValidationError as error:
        raise ConfigError(f"{where}: {faults(error)}") from error


def faults(error: ValidationError) -> str:
    """Return what is wrong with each field, in one line."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors()
    )


def check_run(profile: Profile, *, archive: bool) -> None:
    """Raise `ConfigError` with all that a profile asks for and a run with or without an archive cannot do."""
    wrong = []
    if not archive and "archive" in profile.write.records:
        wrong.append("records are to be written to the archive (`write.records`)")
    if not archive and "archive" in profile.write.previews:
        wrong.append("previews are to be written to the archive (`write.previews`)")
    if not archive and profile.delete_input:
        wrong.append("inputs are to be deleted (`delete_input`), which would lose them")
    if wrong:
        raise ConfigError(f"profile {profile.name} needs a run with an archive: {'; '.join(wrong)}")


def cautions(profile: Profile) -> list[str]:
    """Return what a person should know about a profile before pictures leave the house, a sentence each."""
    masking = profile.masking
    hidden = set(masking.find.classes)
    found = {
        "people and vehicles stay visible: `draw` is false, pictures are written as they are": not profile.draw,
        f"the fill `{masking.fill.style}` is cosmetic: what it covers can be made out again, plates above all;"
        " `constant` cannot be undone": profile.draw and masking.fill.cosmetic,
        "faces are not looked for, only whole persons are masked": masking.find.face_detector is None
        or "face" not in hidden,
        "plates are not looked for, only whole vehicles are masked": masking.find.plate_detector is None
        or "plate" not in hidden,
        "road users stay visible: " + ", ".join(sorted({"person", "car"} - hidden)): bool({"person", "car"} - hidden),
        "the exact position stays in the pictures": masking.output.exif.position == "keep",
    }
    return [sentence for sentence, holds in found.items() if holds]


def _path_of(name_or_path: str, folder: Path) -> Path:
    if _NAME.fullmatch(name_or_path):
        path = folder / f"{name_or_path}.yaml"
        if not path.is_file():
            there = ", ".join(sorted(known.stem for known in folder.glob("*.yaml"))) or "none"
            raise ConfigError(f"there is no profile {name_or_path!r}; there are: {there}; or give the path of a file")
        return path
    path = Path(name_or_path)
    if path.suffix.lower() not in {".yaml", ".yml"}:
        raise ConfigError(f"{name_or_path!r} is neither the name of a profile nor a file that ends in .yaml or .yml")
    return path


def _canonical(value: object) -> object:
    """Return a value of JSON in which 10.0 and 10 are the same."""
    if isinstance(value, dict):
        return {key: _canonical(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_canonical(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_bucket(folder: str) -> bool:
    return folder.startswith(_BUCKET) and len(folder) > len(_BUCKET) and ".." not in folder.split("/")
