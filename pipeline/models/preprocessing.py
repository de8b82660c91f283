"""How an image becomes a model's input: the geometry and the numbers. ``classifier/pixels.py`` resizes the pixels."""

from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Float, UInt8
from torch import Tensor

from laketag.pipeline.errors import ModelError


@dataclass(frozen=True)
class Preprocessing:
    """Resize to a square of ``size_px``, scale to 0…1, subtract the mean and divide by the deviation."""

    size_px: int
    resize_mode: Literal["shortest", "squash"]  # shortest: short side, then centre crop; squash: both sides
    interpolation: Literal["bicubic", "bilinear"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def resized_width_height(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Width and height after the resize, before the centre crop (torchvision's Resize)."""
        if self.resize_mode == "squash":
            return self.size_px, self.size_px
        if width_px <= height_px:
            return self.size_px, int(self.size_px * height_px / width_px)
        return int(self.size_px * width_px / height_px), self.size_px

    def centre_left_top(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Where in the resized picture the visible square begins (torchvision's CenterCrop)."""
        return round((width_px - self.size_px) / 2.0), round((height_px - self.size_px) / 2.0)

    def visible_xyxy_px(self, width_px: int, height_px: int) -> tuple[float, float, float, float]:
        """The part of an image of this size that the model sees, in the image's pixels."""
        resized_width, resized_height = self.resized_width_height(width_px, height_px)
        left, top = self.centre_left_top(resized_width, resized_height)
        right, bottom = left + self.size_px, top + self.size_px
        return (
            left * width_px / resized_width,
            top * height_px / resized_height,
            right * width_px / resized_width,
            bottom * height_px / resized_height,
        )

    def normalise(self, rgb_u8: UInt8[Tensor, "views size size 3"]) -> Float[Tensor, "views 3 size size"]:
        """The model's float32 input on the same device, equal to that of torchvision's ToTensor and Normalize."""
        pixels = rgb_u8.permute(0, 3, 1, 2).contiguous().float().div_(255)
        mean, std = pixels.new_tensor(self.mean), pixels.new_tensor(self.std)
        return pixels.sub_(mean[:, None, None]).div_(std[:, None, None])


def read_preprocessing(config: dict[str, Any], model: str) -> Preprocessing:
    """The Preprocessing of a model's configuration, whose keys are named as in open_clip and timm."""
    size = config["size"]
    width_height = {size} if isinstance(size, int) else set(size)
    problems = {
        f"images that are not square ({size})": len(width_height) != 1,
        f"resize_mode {config['resize_mode']!r}": config["resize_mode"] not in ("shortest", "squash"),
        f"interpolation {config['interpolation']!r}": config["interpolation"] not in ("bicubic", "bilinear"),
    }
    if wrong := [problem for problem, is_so in problems.items() if is_so]:
        raise ModelError(
            f"{model} wants {' and '.join(wrong)}, which laketag does not support; choose another model"
        )
    mean, std = (tuple(float(value) for value in config[key]) for key in ("mean", "std"))
    return Preprocessing(
        size_px=int(width_height.pop()),
        resize_mode=config["resize_mode"],
        interpolation=config["interpolation"],
        mean=(mean[0], mean[1], mean[2]),
        std=(std[0], std[1], std[2]),
    )
