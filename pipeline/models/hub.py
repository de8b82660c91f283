"""Published weights by name, through the Hugging Face hub and its cache; safetensors only."""

import logging
import re
from pathlib import Path

from huggingface_hub import hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.hashed_file import ExpectedSha256, HashedFile, sha256_of
from laketag.pipeline.models.node_cache import cache_folder, locked

# it would print each try; hub_file says what came of them
logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def hub_file(
    repository: str, filename: str, *, wanted_by: str, setting: str, expected: ExpectedSha256 | None
) -> HashedFile:
    """The file of a hub repository lies in the hub's cache on this machine, hashed just now; downloaded if it was not there.

    Of the processes of a node that lack it at once, one asks the hub, and the others find what it left.
    """
    path = _cached(repository, filename)
    if path is None:
        with locked(cache_folder(), f"{repository}/{filename}".replace("/", "--")):
            path = _cached(repository, filename) or _download(repository, filename, wanted_by, setting)
    file = HashedFile(path, sha256_of(path))
    published = path.resolve().name  # the hub's cache calls large files by the SHA-256 that the hub publishes
    if re.fullmatch("[0-9a-f]{64}", published) and published != file.sha256:
        raise ModelError(
            f"the weights of {wanted_by} are damaged: {path.resolve()} has sha256 {file.sha256}, not the one in its name; "
            "remove that file and run the same command again, which downloads it anew"
        )
    if expected is not None:
        expected.check(file.sha256, f"of {wanted_by} ({path})")
    return file


def _cached(repository: str, filename: str) -> Path | None:
    """The file in the hub's cache; None if it is not there. Asks nobody, which hf_hub_download would even for local files."""
    found = try_to_load_from_cache(repository, filename)
    return Path(found) if isinstance(found, str) else None


def _download(repository: str, filename: str, wanted_by: str, setting: str) -> Path:
    try:
        return Path(hf_hub_download(repository, filename))
    except LocalEntryNotFoundError as error:
        raise _unreachable(repository, filename, wanted_by, setting, error.__cause__ or error) from None
    except EntryNotFoundError:
        raise ModelError(
            f"{wanted_by}: {repository} holds no {filename}, and laketag reads no pickled checkpoints; "
            f"choose other weights, or convert them to safetensors and set {setting} to that file"
        ) from None
    except Exception as error:  # noqa: BLE001  # the hub's client raises its own, requests', httpx' and the system's errors
        raise _unreachable(repository, filename, wanted_by, setting, error) from None


def _unreachable(
    repository: str, filename: str, wanted_by: str, setting: str, error: BaseException
) -> ModelError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ModelError(
        f"the weights of {wanted_by} are not on this machine and cannot be downloaded ({reason}); run once with a network, "
        f"or copy {filename} of the hub repository {repository} here or to s3:// and set {setting} to it"
    )
