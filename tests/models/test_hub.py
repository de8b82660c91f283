import os
import subprocess
import sys

import pytest

CODE = """
from pipeline.config import Settings, StorageSettings
from pipeline.errors import ModelError
from pipeline.models.attention_spec import AttentionSpec
from pipeline.models.backbone_spec import BackboneSpec
for part, spec in (("backbone", BackboneSpec), ("attention", AttentionSpec)):
    try:
        spec(getattr(Settings(), part), StorageSettings()).resolved()
    except ModelError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path_factory.mktemp("hub"))}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (0, "ViT-B-16 with pretrained tag 'openai'"),
        (1, "the attention model vit_base_patch16_224.dino"),
    ],
)
def test_without_network_and_cache_the_error_says_what_to_do(said: list[str], line: int, wanted: str) -> None:
    part = ("backbone.pretrained", "attention.weights")[line]
    assert said[line].startswith(f"the weights of {wanted} are not on this machine and cannot be downloaded")
    assert f"set {part} to it" in said[line]


def test_both_defaults_are_fetched_as_safetensors(said: list[str]) -> None:
    assert (
        "open_clip_model.safetensors of the hub repository timm/vit_base_patch16_clip_224.openai" in said[0]
    )
    assert "model.safetensors of the hub repository timm/vit_base_patch16_224.dino" in said[1]
