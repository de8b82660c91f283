"""What keeping something beside the labels costs, which is printed before a run begins."""

from laketag.pipeline.config import MethodSettings, Settings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.lake.description_versions import read_class_names, read_embedded_set
from laketag.pipeline.lake.kept_tables import kept_tables
from laketag.pipeline.lake.paths import KeptTable, Lake
from laketag.pipeline.screen import Screen

ROW_BYTES = 100
"""About what names the image in a row, compressed."""
LARGEST_SCORE = 65504.0
"""That fp16 holds."""


def say_kept_costs(
    lake: Lake, described: tuple[str, str], settings: Settings, images: int, screen: Screen
) -> None:
    """Print the bytes that the settings keep beside the labels of these images, with this set in this version; nothing without.

    A SettingsError if the scores of the method may be too large to be kept.
    """
    if not (settings.run.keep and images):
        return
    classes = len(read_class_names(lake, read_embedded_set(lake, *described)))
    for table in kept_tables(" ".join(settings.run.keep)):
        of_image = bytes_of_image(table, classes)
        screen.say(
            f"keeps the {table} of {classes:,} classes: {format_bytes(of_image)} an image, {format_bytes(of_image * 10**6)} a "
            f"million images, {format_bytes(of_image * images)} for the {images:,} of this run"
        )
    check_scores(settings.method)


def bytes_of_image(table: KeptTable, classes: int) -> int:
    """About how many bytes the table takes for an image."""
    match table:
        case "scores":
            return ROW_BYTES + 2 * classes


def check_scores(method: MethodSettings) -> None:
    """The method's scores can be kept in fp16; else a SettingsError. Soft matching sums the views' cosines by temperature."""
    if method.name == "abs" and method.soft_matching:
        views = method.crops * (method.raw_crops + method.feature_crops)
        if (largest := views / method.matching_temperature) > LARGEST_SCORE:
            raise SettingsError(
                f"--keep scores stores fp16, up to {LARGEST_SCORE:,.0f}, and {views:,} crops at method.matching_temperature "
                f"{method.matching_temperature} can score {largest:,.0f}; take fewer crops or a higher temperature, or keep no "
                "scores"
            )


def format_bytes(count: float) -> str:
    """As people write it, in powers of 1000: 103 kB, 2.1 GB."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:,.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.2g} {unit}"
