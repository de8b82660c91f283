"""Which settings can change a label: exactly these decide the name of a classifier."""

from typing import Final

CHANGING_LABELS: Final[dict[str, set[str]]] = {
    # of local-dir: the folder has the name, by its architecture; weights count by their SHA-256, wherever they are
    "backbone": {"name", "pretrained", "precision"},
    "attention": {"name", "weights", "preprocessing", "precision"},
    "method": {
        "name", "raw_crops", "feature_crops", "soft_matching", "crops", "attended_patches", "min_side_fraction",
        "max_side_fraction", "sampling_temperature", "matching_temperature", "feature_block", "seed", "tags",
        "budget", "cascade_lead", "adaptive_confidence", "round_crops",
    },
    # by the hash of the description set's content; with drop_empty off, a text without a letter is an error
    "descriptions": {
        "label_prompt", "drop_exact_duplicates", "drop_near_duplicates", "near_duplicate_cosine",
        "drop_names_another_class", "drop_closer_to_another_class", "closer_margin", "limit_per_class",
    },
    # max_pixels decides whether an image is decoded; an image within both limits has the same pixels
    "decode": {"short_side_px", "bounded_pixels"},
}  # fmt: skip
"""By table. All other settings say where, whether, how fast and in which groups images are read and labelled; between devices
a close decision may differ."""
