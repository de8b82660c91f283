"""Every number that the training depends on."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """The settings of the training; `settings.toml` has a value for each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    threads: int
    scenes: int  # drawn before training, at "easy"
    calm_scenes: int  # drawn before training, at "calm"
    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    warmup_fraction: float  # of the steps
    calm_fraction: float  # of the steps, during which the fraction of calm scenes falls to `calm_floor`
    calm_floor: float
    captions_per_class: int  # in each step
    patch_loss_weight: float
    shift_px: int  # maximum in each direction
    evaluate_every: int  # steps
    dev_scenes: int


def read_settings(path: Path) -> Settings:
    """Return the settings in the file; a missing or unknown name is an error."""
    return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
