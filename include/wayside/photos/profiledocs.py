"""The page docs/PROFILES.md, written from the models: what they say of themselves is what people read."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from wayside.core.settings import Settings
from wayside.metadata.options import PLACEHOLDERS
from wayside.photos.oldconfig import PANORAMA, OldConfig
from wayside.photos.oldfields import FIELDS, OLDER_NAMES
from wayside.photos.profile import Profile, load_profile, profile_names
from wayside.privacy.settings import COLOURS

_HEAD: Final = """\
# Profiles

Written from the models in `include/wayside/photos/profile.py` and `include/wayside/privacy/settings.py`; edit those,
then run `make docs`.

A profile says what becomes of a folder of road photos. {names} come with Wayside, in
`include/config/profiles`; a YAML file of your own (`.yaml`, `.yml`, at most 256 KiB, UTF-8) may take their place. It
names what it wants to be different and nothing else; a field that does not exist is an error, and so is one of the
wrong kind.

A profile that asks for the archive (`write.records`, `write.previews`) or for `delete_input` needs a run with an
archive. Every row and receipt carries the profile's name and a hash of what makes a picture's files: `masking`,
`record`, `write` and `draw`. A picture that is done under the same hash is not done again.
"""
_OLD: Final = """
## From the replaced system

`wayside anonymise --import-config old.yml` prints an old configuration as a profile, with what it dropped, and why, as
comments on top. It keeps what its owner chose, a fill that can be undone included, and warns of it. A file with keys
missing, which the replaced system refused, is filled up with its defaults; so is one of version 1.

| key | default there | here | remark |
|---|---|---|---|"""
_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)

_LISTS: Final = {
    "PLACEHOLDERS": "with " + ", ".join(f"`{{{name}}}`" for name in PLACEHOLDERS),
    "COLOURS": ", ".join(f"{name} {list(colour)}" for name, colour in COLOURS.items()),
}
_LIST: Final = re.compile(rf"see `({'|'.join(_LISTS)})`")


def profiles_markdown(settings: Settings) -> str:
    """Return the page: each part of a profile with its fields, then what became of the replaced system's keys."""
    names = profile_names(settings)
    shipped = {name: load_profile(name, settings) for name in names}
    lines = [_HEAD.format(names=_listed(names))]
    lines += _parts(Profile, "", shipped)
    lines.append(_OLD)
    lines += (_old_row(key) for key in FIELDS)
    older = ", ".join(f"`{old}` is `{key}`" for old, key in OLDER_NAMES.items())
    return "\n".join(
        [*lines, "", f"In versions between 1 and 2 some keys had other names, which are known: {older}.", ""]
    )


def _listed(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _parts(model: type[BaseModel], path: str, shipped: dict[str, Profile]) -> Iterator[str]:
    """Yield the section of a model, then those of the models in it."""
    yield from ("", f"## `{path.rstrip('.')}`", "") if path else ("## The profile", "")
    yield from (_summary(model), "", "| field | default | what it is | in the replaced system |", "|---|---|---|---|")
    meanings = meanings_of(model)
    inner = []
    for name, field in model.model_fields.items():
        part = _model_of(field.annotation)
        if part is not None:
            inner.append((part, f"{path}{name}."))
            meanings.setdefault(name, _summary(part))
        default = "" if part else _defaults(f"{path}{name}", field.is_required(), shipped)
        shown = f"[`{name}`](#{path.replace('.', '')}{name})" if part else f"`{name}`"
        yield _row(shown, default, meanings[name], _old_keys(f"{path}{name}"))
    for part, below in inner:
        yield from _parts(part, below, shipped)


def meanings_of(model: type[BaseModel]) -> dict[str, str]:
    """Return what the docstring of a model says of each of its fields, with lists that it points to written out."""
    _, _, attributes = (inspect.getdoc(model) or "").partition("\nAttributes:\n")
    meanings = {}
    for name, text in _ATTRIBUTE.findall(attributes):
        meanings[name] = _LIST.sub(lambda found: _LISTS[found[1]], " ".join(text.split()))
    return meanings


def _summary(model: type[BaseModel]) -> str:
    return " ".join((inspect.getdoc(model) or "").partition("\nAttributes:")[0].split())


def _model_of(annotation: object) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _defaults(path: str, required: bool, shipped: dict[str, Profile]) -> str:
    if required:
        return "needed; the file's name"
    plain = Profile(name="plain")
    default = _shown(_value(plain, path))
    if path == "description":
        return default
    others = {name: _shown(_value(profile, path)) for name, profile in shipped.items()}
    return ", ".join([default, *(f"{name}: {value}" for name, value in others.items() if value != default)])


def _value(profile: Profile, path: str) -> object:
    value: object = profile
    for name in path.split("."):
        value = getattr(value, name)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _old_keys(path: str) -> str:
    return ", ".join(f"`{key}`" for key, field in FIELDS.items() if field.ours == path)


def _old_row(key: str) -> str:
    field = FIELDS[key]
    default = ""
    if field.ours:
        default = _shown(OldConfig.model_fields[key].default)
        default += f", 360: {_shown(PANORAMA[key])}" if key in PANORAMA else ""
    return _row(f"`{key}`", default, f"`{field.ours}`" if field.ours else "dropped", field.why)


def _shown(value: object) -> str:
    if value in ("", None):
        return "empty" if value == "" else "null"
    return f"`{json.dumps(value, ensure_ascii=False, default=str)}`"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
