"""``laketag calibrate``: fit what decides which labels are accepted, to images of the collection."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from laketag.jobs.console import open_screen, write_json
from laketag.jobs.options import SHARED, flag, option
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.calibration.thresholds import Promise
    from laketag.pipeline.flows.calibrate_labels import CalibrateReport

SAMPLE = 2000
CONFIDENCE = 0.95
COVERAGE = 0.9
OPTIONS = SHARED | {
    "sample": option(
        int, "--sample", metavar="N", help=f"Number of images to fit to; {SAMPLE:,} by default."
    ),
    "precision": option(
        float,
        "--precision",
        metavar="P",
        help="Accept a class only where it is right at least this often; 0.9 by default if true classes are known.",
    ),
    "confidence": option(
        float,
        "--confidence",
        metavar="P",
        help=f"How sure that is, for each class; {CONFIDENCE:g} by default.",
    ),
    "min_score": option(
        float,
        "--min-score",
        metavar="Z",
        help="Accept every class above this standard score instead; 2 by default if no true class is known.",
    ),
    "coverage": option(
        float,
        "--coverage",
        metavar="P",
        help=f"How often conformal sets contain the true class; {COVERAGE:g} by default.",
    ),
    "standardise": option(
        Literal["image", "class"],
        "--standardise",
        help="Standardise scores over the classes of an image first, or each class by itself; by default image where scores "
        "are cosines, and class for soft matching.",
    ),
    "without_classes": flag("--without-classes", help="Do not use true classes, even if they are known."),
    "others_outside": flag(
        "--others-outside", help="Images of classes that the set does not describe count as outside the set."
    ),
}


def calibrate(
    root: str,
    collection: str,
    description_set: str,
    *,
    sample: int | None = None,
    precision: float | None = None,
    confidence: float | None = None,
    min_score: float | None = None,
    coverage: float | None = None,
    standardise: Literal["image", "class"] | None = None,
    without_classes: bool = False,
    others_outside: bool = False,
    as_json: bool = False,
    verbose: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "CalibrateReport":
    """Fit a calibration to images of the collection; label is decided by the newest one from then on.

    Without true classes, every class is judged alone by how far its score is above its mean over the sample. With true classes
    (of the index, or decided in a review) each class also gets a threshold for a wanted precision, the probability is fitted
    to how often labels are right, and conformal sets are promised a coverage. No image is labelled again by it.
    """
    screen = open_screen(console, verbose=verbose, as_json=as_json)
    chosen = read_settings(settings, override)  # before the imports below, which take a second

    from laketag.pipeline.flows.calibrate_labels import CalibrateRequest, calibrate_labels
    from laketag.pipeline.flows.frozen_sample import SampleRequest
    from laketag.pipeline.lake.paths import checked_name, open_lake

    request = CalibrateRequest(
        collection=checked_name(collection, "collection"),
        description_set=checked_name(description_set, "set"),
        sample=SampleRequest(
            checked_sample(SAMPLE if sample is None else sample),
            ignores_classes=without_classes,
            others_are_outside=others_outside,
        ),
        promise=make_promise(precision, confidence, min_score),
        least_score=min_score,
        coverage=checked_fraction(COVERAGE if coverage is None else coverage, "--coverage"),
        standardise=standardise,
    )
    report = calibrate_labels(open_lake(root, chosen.storage), request, chosen, screen)
    show_calibration(report, screen)
    if as_json:
        write_json(report.as_json())
    return report


def make_promise(
    precision: float | None, confidence: float | None, min_score: float | None
) -> "Promise | None":
    """What thresholds shall promise, if it is named; a SettingsError if it is impossible."""
    from laketag.pipeline.calibration.thresholds import Promise
    from laketag.pipeline.flows.calibrate_labels import DEFAULT_PRECISION

    sure = checked_fraction(CONFIDENCE if confidence is None else confidence, "--confidence")
    if min_score is not None and (precision is not None or confidence is not None):
        raise SettingsError(
            f"--min-score {min_score:g} is a threshold without a promised precision; leave it or --precision and --confidence out"
        )
    if precision is None and confidence is None:
        return None
    return Promise(
        checked_fraction(DEFAULT_PRECISION if precision is None else precision, "--precision"), sure
    )


def checked_sample(images: int) -> int:
    """The number, if statistics can be taken of so few images; else a SettingsError."""
    if images < 2:
        raise SettingsError(f"--sample {images}: give a number of images from 2")
    return images


def checked_fraction(value: float, name: str) -> float:
    """The value, if it is between 0 and 1; else a SettingsError."""
    if not 0 < value < 1:
        raise SettingsError(f"{name} {value:g}: give a fraction over 0 and under 1, such as 0.9")
    return value


def show_calibration(report: "CalibrateReport", screen: Screen) -> None:
    """Print what was fitted, what it promises, which classes are refused, and what comes next."""
    calibration = report.calibration
    fitted = f"fitted to {report.images:,} images, {report.with_class:,} of them with a true class of the set"
    screen.say(fitted + (f" and {report.outside:,} outside it" if report.outside else ""))
    if report.failures:
        named = ", ".join(f"{reason} {images:,}" for reason, images in report.failures.items())
        screen.say(f"images that failed are left out: {named}", "yellow")
    if (fit := report.reliability) is not None:
        screen.say(
            f"probability: factor {calibration.factor:.3f} on the exponent; on the same {fit.images:,} images expected "
            f"calibration error {fit.ece_before:.3f} → {fit.ece_after:.3f}, loss {fit.loss_before:.3f} → {fit.loss_after:.3f}"
        )
    if calibration.least_share is not None:
        screen.say(f"conformal sets: classes with a probability from {calibration.least_share:.3g} on")
    accepted = [one for one in calibration.classes if one.threshold is not None]
    screen.say(f"thresholds: {len(accepted):,} of {len(calibration.classes):,} classes can be accepted")
    for name, reason in calibration.refused.items():
        screen.say(f"  {name!r} is never accepted: {reason}", "yellow")
    for notice in report.notices:
        screen.say(notice, "yellow")
    known = "" if report.is_new else ", which was the newest already"
    screen.say(
        f"calibration {calibration.content_hash}{known}; the next laketag label is decided by it", "bold"
    )
    if report.labelled_before:
        screen.say(
            f"the labels of {report.labelled_before:,} earlier runs stay as they are; laketag recalibrate decides them "
            "anew if their scores were kept"
        )
