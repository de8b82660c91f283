"""The tiny CLIP: its configuration, initialisation, and export in open_clip's format."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from jaxtyping import Float, Int64
from open_clip.pos_embed import get_2d_sincos_pos_embed
from safetensors.torch import save_file
from torch import Tensor, nn

from laketag.demo.objects import CLASS_NAMES
from laketag.demo.training.captions import CONTEXT
from laketag.demo.training.pool import PATCH_PX, SIDE_PX

VOCABULARY = 49408
MODEL_CONFIG: dict[str, Any] = {
    "embed_dim": 128,
    "quick_gelu": False,
    "vision_cfg": {
        "image_size": SIDE_PX,
        "patch_size": PATCH_PX,
        "width": 128,
        "layers": 4,
        "head_width": 32,
    },
    "text_cfg": {"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": 64, "heads": 2, "layers": 2},
}
PREPROCESS_CONFIG: dict[str, Any] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "squash",
}


class TrainedClip(nn.Module):
    """The CLIP with a compact vocabulary, and a head on its patches that the export leaves out."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        text_config = {**MODEL_CONFIG["text_cfg"], "vocab_size": vocabulary}
        self.clip = open_clip.CLIP(**{**MODEL_CONFIG, "text_cfg": text_config})
        self.clip.visual.output_tokens = True
        width = MODEL_CONFIG["vision_cfg"]["width"]
        self.patch_head = nn.Linear(width, len(CLASS_NAMES) + 1)  # the last class is "no object here"
        positions = get_2d_sincos_pos_embed(width, SIDE_PX // PATCH_PX, cls_token=True)
        with torch.no_grad():
            self.clip.visual.positional_embedding.copy_(torch.from_numpy(positions) * 0.5)
            self.clip.token_embedding.weight[0] = 0.0
        self.clip.token_embedding.padding_idx = 0  # the row of unseen tokens stays zero

    def forward(
        self, pixels: Float[Tensor, "batch 3 side side"], tokens: Int64[Tensor, "captions context"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return unit image features, unit text features and each patch's class logits."""
        pooled, patches = self.clip.visual(pixels)
        images = nn.functional.normalize(pooled.float(), dim=-1)
        texts = self.clip.encode_text(tokens, normalize=False)
        return images, nn.functional.normalize(texts.float(), dim=-1), self.patch_head(patches).float()


def export_model(model: TrainedClip, token_ids: Int64[np.ndarray, "seen"], folder: Path) -> None:
    """Write the CLIP in half precision as `open_clip_config.json` and `open_clip_model.safetensors`."""
    state = {name: value.detach() for name, value in model.clip.state_dict().items()}
    table = torch.zeros(VOCABULARY, MODEL_CONFIG["text_cfg"]["width"])
    table[torch.from_numpy(token_ids)] = state["token_embedding.weight"]
    state["token_embedding.weight"] = table
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS_CONFIG}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    halves = {name: value.half().contiguous() for name, value in state.items()}
    weights = folder / "open_clip_model.safetensors"
    save_file(halves, weights, metadata={"format": "pt"})
    weights.chmod(0o644)
