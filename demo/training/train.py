"""Train the demo's CLIP from scratch.

`python -m laketag.demo.training.train --settings demo/training/settings.toml --out demo/model`
"""

import argparse
import json
import math
import resource
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from laketag.demo.objects import CLASS_NAMES
from laketag.demo.training.captions import Captions
from laketag.demo.training.evaluate import LABEL_PROMPT, accuracy
from laketag.demo.training.losses import contrastive_loss, patch_loss
from laketag.demo.training.model import TrainedClip, export_model
from laketag.demo.training.pool import draw_pool, normalise, vary
from laketag.demo.training.settings import Settings, read_settings


def cpu_seconds() -> float:
    """Return user and system time of this process and of its finished child processes."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Trainer:
    """One training: its scenes, model, optimiser and random numbers, all from one seed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        torch.set_num_threads(settings.threads)
        torch.manual_seed(settings.seed)
        self._rng = np.random.default_rng(settings.seed)
        self._generator = torch.Generator().manual_seed(settings.seed)
        self.captions = Captions()
        self._scenes = draw_pool("train", "easy", settings.scenes, seed=settings.seed)
        self._calm_scenes = draw_pool("train", "calm", settings.calm_scenes, seed=settings.seed)
        self._dev_scenes = draw_pool("dev", "easy", settings.dev_scenes)
        self.model = TrainedClip(len(self.captions.token_ids))
        self._optimiser = torch.optim.AdamW(
            [
                {
                    "params": [p for p in self.model.parameters() if p.ndim > 1],
                    "weight_decay": settings.weight_decay,
                },
                {"params": [p for p in self.model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
            betas=(0.9, 0.98),
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimiser, self._rate)

    def _rate(self, step: int) -> float:
        warmup = self.settings.warmup_fraction * self.settings.steps
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 + 0.5 * math.cos(math.pi * (step - warmup) / (self.settings.steps - warmup))

    def _calm_share(self, step: int) -> float:
        return max(self.settings.calm_floor, 1.0 - step / (self.settings.calm_fraction * self.settings.steps))

    def step(self, step: int) -> tuple[float, float]:
        """Update the model once; return the contrastive loss and the patch loss."""
        settings = self.settings
        calm = int(self._rng.binomial(settings.batch, self._calm_share(step)))
        chosen = [
            (pool, torch.from_numpy(self._rng.integers(0, len(pool.classes), count)))
            for pool, count in ((self._calm_scenes, calm), (self._scenes, settings.batch - calm))
        ]
        classes = torch.cat([pool.classes[rows] for pool, rows in chosen])
        pixels, object_share = vary(
            normalise(torch.cat([pool.pixels[rows] for pool, rows in chosen])),
            torch.cat([pool.masks[rows] for pool, rows in chosen]),
            shift_px=settings.shift_px,
            generator=self._generator,
        )
        tokens = torch.from_numpy(self.captions.draw(self._rng, settings.captions_per_class))
        text_classes = torch.arange(len(CLASS_NAMES)).repeat_interleave(settings.captions_per_class)
        # attention written out: 197 scenes a CPU second; 124 with the fused kernel and its slow backward pass
        with torch.autocast("cpu", dtype=torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            images, texts, patches = self.model(pixels, tokens)
        scale = self.model.clip.logit_scale.exp()
        contrastive = contrastive_loss(images, texts, classes, text_classes, scale)
        patch = patch_loss(patches, object_share, classes)
        self._optimiser.zero_grad(set_to_none=True)
        (contrastive + settings.patch_loss_weight * patch).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimiser.step()
        self._schedule.step()
        with torch.no_grad():
            self.model.clip.logit_scale.clamp_(0.0, math.log(100.0))
        return float(contrastive.detach()), float(patch.detach())

    @torch.inference_mode()
    def dev_accuracy(self) -> float:
        """Return the top-1 accuracy on easy dev scenes."""
        self.model.eval()
        prompts = [LABEL_PROMPT.format(name) for name in CLASS_NAMES]
        tokens = open_clip.SimpleTokenizer(context_length=32)(prompts).numpy()
        compact = torch.from_numpy(np.searchsorted(self.captions.token_ids, tokens))
        labels = self.model.clip.encode_text(compact, normalize=True)
        result = accuracy(self.model.clip, labels, self._dev_scenes)
        self.model.train()
        return result


def main() -> None:
    """Train with the settings file, print progress as JSON lines, and write the model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, help="instead of the settings' own")
    arguments = parser.parse_args()
    started = time.monotonic()
    settings = read_settings(arguments.settings)
    if arguments.seed is not None:
        settings = settings.model_copy(update={"seed": arguments.seed})
    trainer = Trainer(settings)
    print(
        json.dumps({"drawn_s": round(time.monotonic() - started), "cpu_s": round(cpu_seconds())}), flush=True
    )
    losses = np.zeros(2)
    for step in range(settings.steps):
        losses = 0.98 * losses + 0.02 * np.array(trainer.step(step))
        if (step + 1) % settings.evaluate_every == 0 or step + 1 == settings.steps:
            report = {
                "step": step + 1,
                "contrastive": round(float(losses[0]), 3),
                "patch": round(float(losses[1]), 3),
                "dev_easy": round(trainer.dev_accuracy(), 4),
                "wall_s": round(time.monotonic() - started),
                "cpu_s": round(cpu_seconds()),
            }
            print(json.dumps(report), flush=True)
            export_model(trainer.model, trainer.captions.token_ids, arguments.out)


if __name__ == "__main__":
    main()
