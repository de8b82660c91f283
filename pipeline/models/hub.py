"""Published weights by name, through the Hugging Face hub and its cache; safetensors only."""

import logging
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from pipeline.errors import ModelError

# it would print each try; hub_file says what came of them
logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def hub_file(repository: str, filename: str, *, wanted_by: str, setting: str) -> Path:
    """The file of a hub repository lies in the hub's cache on this machine; downloaded if it was not there."""
    try:
        return Path(hf_hub_download(repository, filename, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
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
