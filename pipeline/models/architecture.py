"""The architecture of an open_clip model: its configuration, read without its weights."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from laketag.pipeline.config import LOCAL_DIR, BackboneSettings, StorageSettings, local_dir
from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.hashed_file import ExpectedSha256, HashedFile
from laketag.pipeline.models.hub import HubFile, hub_file
from laketag.pipeline.models.libraries import open_clip
from laketag.pipeline.models.preprocessing import Preprocessing, read_preprocessing
from laketag.pipeline.models.weights import local_copy, require_safetensors

CONFIG_FILE = "open_clip_config.json"
WEIGHTS_FILE = "open_clip_model.safetensors"


@dataclass(frozen=True)
class Architecture:
    """open_clip's ``model_cfg``, as canonical JSON because it is hashed, and the preprocessing."""

    model_config_json: str
    preprocessing: Preprocessing

    @property
    def model_config(self) -> dict[str, Any]:
        """open_clip's ``model_cfg``."""
        config: dict[str, Any] = json.loads(self.model_config_json)
        return config


def local_folder(settings: BackboneSettings) -> str | None:
    """The FOLDER of ``local-dir:FOLDER`` (a path or an s3:// prefix) if the settings name one."""
    return local_dir(settings.pretrained) or local_dir(settings.name)


def read_architecture(settings: BackboneSettings, storage: StorageSettings) -> Architecture:
    """The architecture that the settings name: a folder's own configuration, or open_clip's configuration of that name.

    ``quick_gelu`` must be as in training. It is on if the folder's configuration, the architecture or the pretrained tag
    turns it on (``openai`` does for every architecture). For a checkpoint file the architecture's name decides: a file
    with OpenAI's weights needs ``ViT-B-16-quickgelu``.
    """
    if folder := local_folder(settings):
        config = _read_folder_config(folder, storage)
        return _architecture(folder, config["model_cfg"], config.get("preprocess_cfg", {}))
    model_config = open_clip.get_model_config(settings.name.replace("/", "-"))
    if model_config is None:
        raise ModelError(
            f"backbone.name = {settings.name!r} is not an open_clip architecture; "
            "choose one of open_clip.list_models(), such as ViT-B-16"
        )
    tag = _tag_config(settings)
    if tag is not None and tag.get("quick_gelu", False):
        model_config["quick_gelu"] = True
    return _architecture(settings.name, model_config, tag or {})


def locate_weights(
    settings: BackboneSettings, expected: ExpectedSha256 | None, storage: StorageSettings
) -> HashedFile:
    """The backbone's weights are in a safetensors file on this machine, with the expected SHA-256 if there is one."""
    if folder := local_folder(settings):
        return local_copy(f"{folder}/{WEIGHTS_FILE}", expected, storage)
    tag = _tag_config(settings)
    if tag is None:
        require_safetensors(settings.pretrained, "backbone.pretrained")
        return local_copy(settings.pretrained, expected, storage)
    model = f"{settings.name} with pretrained tag {settings.pretrained!r}"
    return hub_file(published_safetensors(tag, model), expected)


def published_safetensors(tag: dict[str, Any], model: str) -> HubFile:
    """The safetensors file on the hub of one of open_clip's pretrained tags.

    Since open_clip 3 every tag has a hub repository; that of ``openai`` holds timm's conversions of the TorchScript files.
    """
    repository, _, filename = tag.get("hf_hub", "").rpartition("/")
    if not repository:
        raise ModelError(
            f"the weights of {model} are published only as a pickle, which laketag never reads; choose another tag, "
            "or convert them to safetensors and set backbone.pretrained to that file"
        )
    safetensors = f"{Path(filename).stem}.safetensors" if filename else WEIGHTS_FILE
    return HubFile(repository, safetensors, model, "backbone.pretrained")


def _tag_config(settings: BackboneSettings) -> dict[str, Any] | None:
    """open_clip's configuration of the pretrained tag; None if the settings name a checkpoint file instead."""
    if "://" in settings.pretrained or "/" in settings.pretrained or "." in settings.pretrained:
        return None
    name = settings.name.replace("/", "-")
    config = open_clip.get_pretrained_cfg(name, settings.pretrained)
    if not config:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise ModelError(
            f"backbone.pretrained = {settings.pretrained!r} is not a pretrained tag of {settings.name} (tags: {tags}); "
            "choose one, or name a .safetensors file, an s3:// URL or local-dir:FOLDER"
        )
    return dict(config)


def _read_folder_config(folder: str, storage: StorageSettings) -> dict[str, Any]:
    path = local_copy(f"{folder}/{CONFIG_FILE}", None, storage).path
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(
            f"{folder}/{CONFIG_FILE} is not JSON ({error}); export the model again with open_clip"
        ) from None
    if not isinstance(config, dict) or not isinstance(config.get("model_cfg"), dict):
        raise ModelError(f"{folder}/{CONFIG_FILE} has no 'model_cfg'; export the model again with open_clip")
    tokenizer = config["model_cfg"].get("text_cfg", {}).get("hf_tokenizer_name")
    if tokenizer and "://" in folder:
        raise ModelError(
            f"{folder}/{CONFIG_FILE} names the Hugging Face tokenizer {tokenizer!r}, which is read from local folders only; "
            f"copy {folder} with the tokenizer's files to one path on every node and set {LOCAL_DIR}PATH, "
            "or choose a CLIP with open_clip's own tokenizer"
        )
    return config


def _architecture(name: str, model_config: dict[str, Any], preprocess_config: dict[str, Any]) -> Architecture:
    size = model_config["vision_cfg"].get("image_size", 224)
    merged = open_clip.transform.merge_preprocess_dict(
        open_clip.transform.PreprocessCfg(), {**preprocess_config, "size": size}
    )
    return Architecture(json.dumps(model_config, sort_keys=True), read_preprocessing(merged, name))
