"""Names that end up in paths, table columns and URLs: validated once, here, and never mangled.

The replaced system stripped odd characters from a model's name to get a table's name, so that two models could
share a table. Here a name is either valid as it stands or refused with the rule that it breaks.
"""

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

from wayside.core.errors import InvalidIdentifierError

_SOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_CAMERA: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}")
_PIPELINE: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,62}(?:_[A-Z][A-Za-z0-9]{0,62}){0,7}")
_FOLDER: Final = re.compile(r"[0-9a-f]{16}")
_RUN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}")
# A folder's name is `pipeline=<id>`, and file systems end at 255 bytes.
_PIPELINE_LENGTH: Final = 200
# Windows refuses these stems whatever the suffix; an archive has to survive a copy to such a disk.
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def _check(kind: str, value: str, rule: re.Pattern[str], says: str) -> str:
    if not isinstance(value, str) or not rule.fullmatch(value):
        raise InvalidIdentifierError(f"{kind} {value!r} is not valid: {says}")
    if _RESERVED.fullmatch(value) or value.endswith(".") or ".." in value:
        raise InvalidIdentifierError(f"{kind} {value!r} is not valid: it is not a safe file name")
    return value


def source_id(value: str) -> str:
    """Return `value` if it can name a source (`TfL-images`), else raise `InvalidIdentifierError`."""
    return _check("source", value, _SOURCE, "letters, digits, '_' and '-', starting with a letter or digit, at most 63")


def camera_id(value: str) -> str:
    """Return `value` if it can name a camera (`00001.01251`, `CM_A69A1-View_02`), else raise."""
    return _check("camera", value, _CAMERA, "letters, digits, '.', '_' and '-', at most 127 characters")


def pipeline_id(value: str) -> str:
    """Return `value` if it can name a pipeline (`FaultyImageFilterV0_StaticObjectFilterV0`), else raise."""
    says = "stages joined by '_', each of letters and digits and starting with a capital, at most 8 and 200 characters"
    if len(_check("pipeline", value, _PIPELINE, says)) > _PIPELINE_LENGTH:
        raise InvalidIdentifierError(f"pipeline {value!r} is not valid: {says}")
    return value


def run_id(value: str) -> str:
    """Return `value` if it can name a run (`reprocess_range-20260501T0300Z-1a2b3c4d`), else raise."""
    return _check("run", value, _RUN, "letters, digits, '.', '_' and '-', at most 127 characters")


def folder_id(value: str) -> str:
    """Return `value` if it is the id of a folder of pictures, as `folder_id_of` makes it, else raise."""
    return _check("folder", value, _FOLDER, "16 hexadecimal digits in lower case")


def folder_id_of(path: str) -> str:
    """Return the id of a folder of pictures: 16 hex digits of the SHA-256 of its path below the source, in NFC.

    Folders have names that no path, column or URL of ours could carry (`%#{} _`, `åæø`), so their tables go by this.
    """
    return hashlib.sha256(unicodedata.normalize("NFC", path).encode()).hexdigest()[:16]


def source_named_after(address: str, otherwise: str) -> str:
    """Return a name for the source at an address: its folder's name, and six hex digits that tell it from others.

    Args:
        address: a folder, or `gs://bucket/prefix`.
        otherwise: stands for a name that has no letter or digit.
    """
    bare = address.rstrip("/")
    name = re.sub(r"[^A-Za-z0-9]+", "-", PurePosixPath(bare).name).strip("-")[:50] or otherwise
    return f"{name}-{hashlib.sha256(bare.encode()).hexdigest()[:6]}"
