"""Every number that the training depends on."""

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of the training; `settings.toml` has a value for each."""

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
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {field.name for field in dataclasses.fields(Settings)}
    if values.keys() != known:
        raise ValueError(
            f"{path}: missing {sorted(known - values.keys())}, unknown {sorted(values.keys() - known)}"
        )
    return Settings(**values)
