"""Published weights by name, from the Hugging Face hub and its cache; safetensors only."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from laketag.pipeline.errors import ModelError, StorageError
from laketag.pipeline.models.hashed_file import ExpectedSha256, HashedFile, sha256_of, used_files
from laketag.pipeline.models.node_cache import FIX, cache_folder, locked

# the hub's client would print every failed try; hub_file reports the failure itself
logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


@dataclass(frozen=True)
class HubFile:
    """A file of weights on the hub, and the words that messages need."""

    repository: str
    filename: str
    model: str  # that the weights belong to, such as "the attention model vit_base_patch16_224.dino"
    setting: str  # that may name a file instead, such as backbone.pretrained


def hub_file(wanted: HubFile, expected: ExpectedSha256 | None) -> HashedFile:
    """The file is in the hub's cache on this machine, hashed just now; it is downloaded if it was not there.

    If several processes of a node lack it at the same time, one of them downloads.
    """
    path = _cached(wanted)
    if path is None:
        with locked(cache_folder(), f"{wanted.repository}/{wanted.filename}".replace("/", "--")):
            path = _cached(wanted) or _download(wanted)
    file = HashedFile(path, sha256_of(path))
    used_files.add(str(path.parents[2] / "refs" / "main"))  # which of the downloaded revisions counts
    published = path.resolve().name  # in the hub's cache a large file's name is its published SHA-256
    if re.fullmatch("[0-9a-f]{64}", published) and published != file.sha256:
        raise ModelError(
            f"the weights of {wanted.model} are damaged: {path.resolve()} has sha256 {file.sha256}, not the one in its name; "
            "remove that file and run the same command again, which downloads it anew"
        )
    if expected is not None:
        expected.check(file.sha256, f"of {wanted.model} ({path})")
    return file


def _cached(wanted: HubFile) -> Path | None:
    """The file in the hub's cache, if it is there. Sends no request, unlike hf_hub_download."""
    found = try_to_load_from_cache(wanted.repository, wanted.filename)
    return Path(found) if isinstance(found, str) else None


def _download(wanted: HubFile) -> Path:
    try:
        return Path(hf_hub_download(wanted.repository, wanted.filename))
    except LocalEntryNotFoundError as error:
        raise _unreachable_error(wanted, error.__cause__ or error) from None
    except EntryNotFoundError:
        raise ModelError(
            f"{wanted.model}: {wanted.repository} holds no {wanted.filename}, and laketag reads no pickled checkpoints; "
            f"choose other weights, or convert them to safetensors and set {wanted.setting} to that file"
        ) from None
    except OSError as error:
        if error.filename is None:  # not of a file
            raise _unreachable_error(wanted, error) from None
        raise StorageError(
            f"the weights of {wanted.model} cannot be stored: {error.filename}: {error.strerror}; make room there or change its "
            f"rights, or {FIX}"
        ) from None
    except Exception as error:  # noqa: BLE001  # the hub's client raises its own, requests', httpx' and the system's errors
        raise _unreachable_error(wanted, error) from None


def _unreachable_error(wanted: HubFile, error: BaseException) -> ModelError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ModelError(
        f"the weights of {wanted.model} are not on this machine and cannot be downloaded ({reason}); "
        f"run once with a network, or copy {wanted.filename} of the hub repository {wanted.repository} here "
        f"or to s3:// and set {wanted.setting} to it"
    )
