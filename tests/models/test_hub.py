import os
import subprocess
import sys
from pathlib import Path

import open_clip

from pipeline.config import AttentionSettings, BackboneSettings
from pipeline.models.architecture import published_safetensors

CODE = """
from pipeline.errors import ModelError
from pipeline.models.hub import hub_file
try:
    hub_file("owner/model", "m.safetensors", wanted_by="the model M", setting="backbone.pretrained")
except ModelError as error:
    print(error)
"""


def test_without_network_and_cache_the_error_says_what_to_do(tmp_path: Path) -> None:
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path),
    }  # read when the hub's client is imported
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.startswith(
        "the weights of the model M are not on this machine and cannot be downloaded ("
    )
    assert (
        "copy m.safetensors of the hub repository owner/model here or to s3:// and set backbone.pretrained to it"
        in done.stdout
    )
    assert done.stderr == ""


def test_the_default_weights_are_published_as_safetensors() -> None:
    backbone = BackboneSettings()  # type: ignore[call-arg]
    tag = open_clip.get_pretrained_cfg(backbone.name, backbone.pretrained)
    assert published_safetensors(tag, "M") == (
        "timm/vit_base_patch16_clip_224.openai",
        "open_clip_model.safetensors",
    )
    assert AttentionSettings().name == "vit_base_patch16_224.dino"  # type: ignore[call-arg]
