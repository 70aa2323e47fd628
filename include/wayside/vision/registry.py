"""Finding, fetching and checking weights: nothing is loaded whose hash or licence is not right.

A card names a file. It is looked for beside the cards (`models/`, what comes with Wayside) and then among the pulled
models of the state folder. The bytes that were hashed are the bytes that are handed to ONNX Runtime, so nothing can
be swapped in between.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

import yaml

from wayside.core.errors import ModelError, ModelHashError, ModelLicenceError, TransientError
from wayside.core.settings import Settings
from wayside.vision.cards import ModelCard, read_cards
from wayside.vision.download import Download, Progress, download_https
from wayside.vision.onnxfile import check_onnx

MAX_MODEL_BYTES: Final = 512 * 2**20
"""Largest file of weights that is pulled."""

_PULLED: Final = "pulled.yaml"


def cards(settings: Settings) -> dict[str, ModelCard]:
    """Return every card by name; raise `ModelError` where one cannot be read."""
    return read_cards(settings.models)


def card(name: str, settings: Settings) -> ModelCard:
    """Return the card called `name`; raise `ModelError`, naming those that there are, for another name."""
    known = cards(settings)
    if name not in known:
        raise ModelError(f"there is no model {name!r} in {settings.models}; there are: {', '.join(known) or 'none'}")
    return known[name]


def expected_sha256(model: ModelCard, settings: Settings) -> str | None:
    """Return the hash of the card or, where it states none, the one recorded when the file was first pulled."""
    return model.sha256 or _recorded(settings).get(model.name)


def find(model: ModelCard, settings: Settings) -> Path | None:
    """Return where the weights of a card lie, unchecked; None where they are not on this machine."""
    for folder in (settings.models, settings.pulled_models):
        if (folder / model.file).is_file():
            return folder / model.file
    return None


def read_weights(model: ModelCard, settings: Settings) -> tuple[bytes, str]:
    """Read the weights of a card and check them.

    Returns:
        The bytes, and their SHA-256.

    Raises:
        ModelLicenceError: the licence is not in `settings.allow_licences`.
        ModelHashError: the bytes do not have the expected hash, or no hash is known.
        ModelError: there is no file, or it is no self-contained ONNX model.
    """
    check_licence(model, settings)
    path = find(model, settings)
    if path is None:
        by_hand = f"put {model.file} into {settings.models}"
        pull_it = f"run `wayside models pull {model.name}`" if model.urls else by_hand
        raise ModelError(f"the weights of {model.name} are not on this machine: {pull_it}")
    data = path.read_bytes()
    actual = _check_hash(model, data, expected_sha256(model, settings), str(path))
    check_onnx(data, str(path))
    return data, actual


def verify(model: ModelCard, settings: Settings) -> str:
    """Check the weights of a card as `read_weights` does, and return their SHA-256."""
    return read_weights(model, settings)[1]


def check_licence(model: ModelCard, settings: Settings) -> None:
    """Raise `ModelLicenceError` unless the settings allow the licence of the card."""
    if model.licence not in settings.allow_licences:
        raise ModelLicenceError(
            f"{model.name} is under {model.licence}, which is not allowed here ({', '.join(settings.allow_licences)}). "
            f"If you may use it, add the licence to WAYSIDE_ALLOW_LICENCES"
        )


def pull(
    model: ModelCard,
    settings: Settings,
    *,
    progress: Progress | None = None,
    download: Download = download_https,
    patience: float | None = None,
) -> Path:
    """Fetch the weights of a card into the state folder, check them and put them in place in one step.

    Args:
        model: the card. Where it states no hash, the hash of what came is recorded, and demanded from then on.
        settings: where the state folder is, and which licences are allowed.
        progress: called with (bytes so far, bytes in all or None) as the file comes.
        download: how an address is fetched.
        patience: seconds after which it is given up if nothing has come, the addresses sharing them evenly; by
            default `download` decides how long each is waited for.

    Returns:
        Where the file lies. One that is already there and right is not fetched again.

    Raises:
        ModelLicenceError: the licence is not allowed.
        ModelHashError: what came does not have the expected hash; nothing was kept.
        ModelError: the card has no address, or what came is no self-contained ONNX model.
        TransientError: no address answered.
    """
    check_licence(model, settings)
    target = settings.pulled_models / model.file
    expected = expected_sha256(model, settings)
    if target.is_file() and expected and hashlib.sha256(target.read_bytes()).hexdigest() == expected:
        return target
    if not model.urls:
        raise ModelError(f"{model.name} has no address to pull from")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=target.parent, prefix=f".{model.file}.")
    os.close(handle)
    try:
        _fetch(model, Path(partial), progress or _silent, download, patience)
        data = Path(partial).read_bytes()
        actual = _check_hash(model, data, expected or hashlib.sha256(data).hexdigest(), "what was pulled")
        check_onnx(data, f"what was pulled for {model.name}")
        if expected is None:
            _record(model.name, actual, settings)
        Path(partial).chmod(0o644)
        Path(partial).replace(target)
    finally:
        Path(partial).unlink(missing_ok=True)
    return target


def _fetch(model: ModelCard, target: Path, progress: Progress, download: Download, patience: float | None) -> None:
    """Try the addresses of a card in order; keep what each failure said."""
    share = {} if patience is None else {"patience": patience / len(model.urls)}
    limit = model.size_bytes if model.sha256 and model.size_bytes else MAX_MODEL_BYTES
    failures = []
    for url in model.urls:
        try:
            with target.open("wb") as sink:
                download(url, sink, limit=limit, progress=progress, **share)
        except TransientError as error:
            failures.append(str(error))
        else:
            return
    raise TransientError(f"{model.name} could not be pulled: {'; '.join(failures)}")


def _silent(_done: int, _total: int | None) -> None:
    """Report nothing."""


def _check_hash(model: ModelCard, data: bytes, expected: str | None, where: str) -> str:
    actual = hashlib.sha256(data).hexdigest()
    if expected is None:
        raise ModelHashError(
            f"no hash of {model.name} is known, so {where} cannot be trusted: "
            f"run `wayside models pull {model.name}`, or write `sha256: {actual}` into its card"
        )
    if actual != expected:
        raise ModelHashError(f"{where} is not {model.name}: its SHA-256 is {actual}, expected {expected}")
    return actual


def _recorded(settings: Settings) -> dict[str, str]:
    """Read the hashes that were recorded at first pulls: name -> SHA-256."""
    path = settings.pulled_models / _PULLED
    if not path.is_file():
        return {}
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ModelError(f"{path} is damaged: it should hold one line `name: sha256` per pulled model")
    return {str(name): str(sha256) for name, sha256 in content.items()}


def _record(name: str, sha256: str, settings: Settings) -> None:
    """Add one hash to the record, by replacing the file in one step."""
    path = settings.pulled_models / _PULLED
    content = yaml.safe_dump({**_recorded(settings), name: sha256})
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{_PULLED}.")
    with os.fdopen(handle, "w", encoding="utf-8") as sink:
        sink.write(content)
    Path(partial).chmod(0o644)
    Path(partial).replace(path)
