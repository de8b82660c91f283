"""How a label came about: where the model looked, what it cropped, and which text each crop is most like."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from laketag.pipeline.classifier.methods import ImageLabel


@dataclass(frozen=True)
class View:
    """A crop, or the whole image, and the text that it is most like of all texts of all classes."""

    box_xyxy_px: tuple[int, int, int, int]  # x1, y1 exclusive, in pixels of the array given
    text: str
    class_name: str  # of the text
    cosine: float


@dataclass(frozen=True)
class Story:
    """A label and everything that it was made from. It is computed by the code that labels, from the same draws."""

    label: ImageLabel
    views: tuple[View, ...]  # feature crops before raw crops; one if the method takes no crops
    feature_crops: int  # how many of the views are feature crops
    attention: Float[np.ndarray, "rows columns"] | None  # None if the method takes no crops
    attended_xyxy_px: tuple[float, float, float, float]  # the part of the image that this grid covers
    class_names: tuple[str, ...]
    scores: Float[np.ndarray, "classes"]
    probabilities: Float[np.ndarray, "classes"]
