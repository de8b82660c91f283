"""What an actor loads a model with."""

import os
import subprocess
import sys
from pathlib import Path

from tests.models.tiny import save_local_dir

SCRIPT = """
import sys

import torch

from laketag.pipeline.config import BackboneSettings, StorageSettings
from laketag.pipeline.models.backbone_spec import BackboneSpec

clip = BackboneSpec(BackboneSettings(pretrained=sys.argv[1]), StorageSettings()).load("cpu")
clip.encode_image(torch.zeros(1, 3, 56, 56))
clip.encode_text(["a cat"])
print("timm" in sys.modules, "torch._dynamo" in sys.modules, "torch._dynamo.utils" in sys.modules)
print(int(torch.compile(lambda x: x + 1, backend="eager")(torch.ones(()))))
"""


def test_a_model_computes_without_the_compiler_which_still_works_afterwards(tmp_path: Path) -> None:
    model = save_local_dir(tmp_path / "tiny")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"local-dir:{model}"], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["True", "False", "False", "2"], done.stderr


def test_transformers_finds_the_compiler(tmp_path: Path) -> None:
    """open_clip would take an error of its import for a missing transformers, and refuse text towers of Hugging Face."""
    (tmp_path / "transformers.py").write_text("from torch._dynamo.utils import counters; print('found')")
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    script = "import laketag.pipeline.models.libraries"
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "found\n"
