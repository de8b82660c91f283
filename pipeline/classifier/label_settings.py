"""Which settings can change a label: exactly these decide the name of a classifier."""

from typing import Final

CHANGES_LABELS: Final[dict[str, dict[str, bool]]] = {
    "backbone": {
        "name": True,  # by the architecture; of local-dir: the folder names it
        "pretrained": True,  # by the SHA-256 of the weights, wherever they are
        "sha256": False,  # only refuses weights
        "precision": True,
    },
    "attention": {
        "name": True,
        "weights": True,  # by their SHA-256
        "sha256": False,
        "preprocessing": True,
    },
    "method": {
        "name": True,
        "raw_crops": True,
        "feature_crops": True,
        "soft_matching": True,
        "crops": True,
        "attended_patches": True,
        "min_side_fraction": True,
        "max_side_fraction": True,
        "sampling_temperature": True,
        "matching_temperature": True,
        "feature_block": True,
        "seed": True,
        "tags": True,  # a row has more or fewer of them
    },
    "descriptions": {  # by the hash of the description set's content
        "label_prompt": True,
        "drop_empty": False,  # off: a text without a letter is an error
        "drop_exact_duplicates": True,
        "drop_near_duplicates": True,
        "near_duplicate_cosine": True,
        "drop_names_another_class": True,
        "drop_closer_to_another_class": True,
        "closer_margin": True,
        "limit_per_class": True,
        "batch_size": False,
    },
    "index": {"max_gone_fraction": False},
    "fetch": {  # whether an image is read, never what is in it
        "concurrency": False,
        "max_bytes": False,
        "deadline_s": False,
        "attempts": False,
        "attempts_over_runs": False,
        "backoff_s": False,
        "max_backoff_s": False,
        "allowed_roots": False,
        "local_images": False,
    },
    "decode": {
        "max_pixels": False,  # whether an image is decoded; an image within both limits has the same pixels
        "short_side_px": True,
        "bounded_pixels": True,
    },
    "storage": dict.fromkeys(
        ("endpoint_url", "region", "profile", "anonymous", "requester_pays", "addressing", "max_outage_s"),
        False,
    ),
    "source": dict.fromkeys(
        ("endpoint_url", "region", "profile", "anonymous", "requester_pays", "addressing"), False
    ),
    "run": {  # where, how fast and in which groups images are labelled; between devices a close decision may differ
        "device": False,
        "actors": False,
        "max_actors": False,
        "autoscaling": False,
        "gpus_per_actor": False,
        "cpus_per_actor": False,
        "memory_per_actor_gib": False,
        "threads_per_actor": False,
        "fetch_slots": False,
        "decode_slots": False,
        "batch_size": False,
        "views_per_pass": False,
        "rows_per_block": False,
        "rows_per_file": False,
        "max_failed_fraction": False,
        "failed_images_before_stop": False,
        "price_per_hour": False,
        "missing_nodes_s": False,
        "stall_s": False,
    },
    "evaluate": dict.fromkeys(("wca_crops", "wca_min_side_fraction", "waffle_pairs"), False),
}
"""Each table of the settings, each of its settings, and whether it can change a label of an image that can be read."""


def changing_labels(table: str) -> set[str]:
    """The settings of the table that can change a label."""
    return {name for name, changes in CHANGES_LABELS[table].items() if changes}
