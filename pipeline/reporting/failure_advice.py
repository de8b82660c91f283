"""What each reason of a failure means, and what a person can do about it."""

from laketag.schemas import Failure

ADVICE: dict[Failure, tuple[str, str]] = {
    "not_found": (
        "The store has no such object any more.",
        "Index the collection again: images that are gone leave the index.",
    ),
    "forbidden": (
        "This object is denied, while others of its bucket are read.",
        "Grant read access to it, then label with --retry forbidden.",
    ),
    "empty": ("The file has no bytes.", "Upload the image again; its new version is labelled by itself."),
    "truncated": (
        "The file ends before the picture does.",
        "Upload the whole image again; its new version is labelled by itself.",
    ),
    "undecodable": (
        "The file has an image's format, but it is broken.",
        "Open it with another program to see whether it can be saved, and upload the repaired image.",
    ),
    "unsupported": (
        "The file is no image, or in a format that is not read.",
        "Install the extra that the detail names (laketag[heif], laketag[jxl]), or leave it out: laketag index --exclude.",
    ),
    "too_large": (
        "The file has more bytes than fetch.max_bytes.",
        "Raise fetch.max_bytes; the next run tries it again by itself.",
    ),
    "too_many_pixels": (
        "The picture has more pixels than decode.max_pixels.",
        "Raise decode.max_pixels; the next run tries it again by itself.",
    ),
    "outside_policy": (
        "Images may not be read from where this one is.",
        "Add its folder or bucket to fetch.allowed_roots if you trust it.",
    ),
    "poison": (
        "It killed the process that worked on it alone.",
        "Keep it away from other programs too; if memory was short, give workers more and label with --retry poison.",
    ),
    "not_finite": (
        "The model's numbers for it are not finite.",
        "Look at the picture; with half precision try backbone.precision = 'fp32'.",
    ),
    "archived": (
        "It is in a tier of the store from which it must be restored first.",
        "Restore it, then label with --retry archived.",
    ),
    "throttled": (
        "The store asked to slow down until the last attempt.",
        "The next run tries it again; with many of them lower run.fetch_slots.",
    ),
    "timeout": (
        "It was not read within fetch.deadline_s.",
        "The next run tries it again; if it is large or far away, raise fetch.deadline_s.",
    ),
    "store_error": (
        "The store had a temporary error.",
        "The next run tries it again; if it stays, the detail has the store's own words.",
    ),
    "changed": (
        "The image has changed since it was indexed.",
        "Index the collection again; the new version is labelled by the next run.",
    ),
}
"""By the closed list of laketag.schemas.failures."""
