"""The stories of a report: how the labels of a few images came about, as the template draws them."""

import json
from collections import Counter
from typing import Any

from laketag.pipeline.flows.report_cards import Album
from laketag.pipeline.flows.shown_images import Shown
from laketag.pipeline.lake.decided_rows import DECISION
from laketag.pipeline.pages.wording import percent
from laketag.pipeline.reporting.charts import attention_cells

TEXTS_OF_A_STORY = 12


def tell(album: Album, row: dict[str, Any], shown: Shown) -> dict[str, Any] | None:
    """What the template draws of a story; None if the image could not be read."""
    if shown.webp is None or shown.story is None:
        return None
    story, width, height = json.loads(shown.story), row["width_px"], row["height_px"]

    def pixels(box: list[float]) -> dict[str, float]:
        x0, y0, x1, y1 = (round(edge * side, 1) for edge, side in zip(box, (width, height) * 2, strict=True))
        return {"x": x0, "y": y0, "width": round(x1 - x0, 1), "height": round(y1 - y0, 1)}

    views = story["views"]
    texts = Counter((view["text"], view["class_name"]) for view in views)
    numbers = {text: number for number, (text, _) in enumerate(texts.most_common())}
    attended = story["attended"]
    attention = story["attention"] and attention_cells(
        story["attention"],
        (attended[0] * width, attended[1] * height, attended[2] * width, attended[3] * height),
    )
    evidence = pixels(story["evidence"])
    raw = len(views) - story["feature_crops"]
    notice = None
    if story["label"] != row["predicted"]:
        notice = f"The run labelled it as {row['predicted']}: a near tie, and numbers differ a little from device to device."
    # the tags of a decided image are not those of the classifier, which the standard scores belong to
    has_standard_scores = row["tag_scores"] is not None and row["source"] != DECISION
    standard = _standard_scores(row) if has_standard_scores else {}
    return {
        "name": album.name(row),
        "label": story["label"],
        "true_class": row["true_class"],
        "probability": story["probability"],
        "picture": album.add_picture(shown.webp, width, height),
        "width": width,
        "height": height,
        "line": max(width, height) / 260,
        "box": (evidence["x"], evidence["y"], evidence["width"], evidence["height"]),
        "crops": [
            pixels(view["box"])
            | {
                "kind": "feature" if number < story["feature_crops"] else "raw",
                "text": numbers[(view["text"], view["class_name"])],
            }
            for number, view in enumerate(views)
        ],
        "crops_words": _count_crops(story["feature_crops"], raw)
        if attention
        else "It looked once, at the whole image.",
        "attention": attention,
        "scores": [one | {"standard_score": standard.get(one["name"])} for one in story["classes"]],
        "has_standard_scores": has_standard_scores,
        "outcome": _tell_outcome(row),
        "texts": [
            {"text": text, "class_name": name, "crops": crops, "number": numbers[(text, name)]}
            for (text, name), crops in texts.most_common(TEXTS_OF_A_STORY)
        ],
        "more_texts": max(0, len(texts) - TEXTS_OF_A_STORY),
        "notice": notice,
    }


def _standard_scores(row: dict[str, Any]) -> dict[str, float]:
    """By class, of the tags and of all accepted classes."""
    tags = zip(row["tags"], row["tag_scores"], strict=True)
    return {tag["label"]: score for tag, score in tags} | {
        one["label"]: one["score"] for one in row["accepted"]
    }


def _tell_outcome(row: dict[str, Any]) -> str:
    """What became of the class with the highest score; empty if that is simply the label."""
    found = []
    if row["abstained"]:
        found.append("The calibration accepts no class.")
    elif row["accepted"]:
        found.append(f"The calibration accepts: {', '.join(one['label'] for one in row['accepted'])}.")
    if row["calibrated_probability"] is not None:
        found.append(f"Calibrated probability of the label: {percent(row['calibrated_probability'], 1)}.")
    if row["source"] == DECISION:
        found.append(f"A person has decided: {row['label']}.")
    return " ".join(found)


def _count_crops(features: int, raw: int) -> str:
    kinds = [f"{raw} of the pixels"] if raw else []
    kinds += [f"{features} of the features (dashed)"] if features else []
    return f"Crops: {' and '.join(kinds)}. The yellow box is the crop that spoke most for the label."
