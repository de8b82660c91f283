"""Contract of the table of nights."""

import dataframely as dy


class Nights(dy.Schema):
    """One row for each collection of each call of ``laketag nightly``.

    The texts of errors are left out: they may name images, and these rows are kept when images are forgotten.
    """

    night_id = dy.String(primary_key=True, description="UTC time of its start, so nights sort by age")
    collection = dy.String(primary_key=True, min_length=1, description="the collection")
    description_set = dy.String(primary_key=True, min_length=1, description="name of the description set")
    started_at = dy.Datetime(time_unit="us", time_zone="UTC", description="when its work began, UTC")
    finished_at = dy.Datetime(time_unit="us", time_zone="UTC", description="when its work ended, UTC")
    exit_code = dy.Int32(min=0, description="how it ended, as an exit code of laketag")
    images = dy.Int64(nullable=True, min=0, description="images in the index; null if it was not written")
    new = dy.Int64(nullable=True, min=0, description="of these, not in the index before")
    changed = dy.Int64(nullable=True, min=0, description="of these, in another version than before")
    gone = dy.Int64(nullable=True, min=0, description="images that only the index before had")
    description_version = dy.String(
        nullable=True, description="version of the set; null if nothing was described"
    )
    embedded = dy.Int64(nullable=True, min=0, description="texts that were embedded")
    planned = dy.Int64(nullable=True, min=0, description="images that the night's runs had to do")
    labelled = dy.Int64(nullable=True, min=0, description="of these, labelled")
    failures = dy.List(
        dy.Struct({"reason": dy.String(), "images": dy.Int64(min=1)}),
        nullable=True,
        description="of these, without a label, by reason",
    )
    left = dy.Int64(
        nullable=True, min=0, description="images without a label that are left for the next night"
    )
    runs = dy.List(dy.String(), nullable=True, description="the runs that were published")
    verified = dy.Bool(
        nullable=True, description="whether the runs balance with their files; null if not verified"
    )
    index_s = dy.Float64(nullable=True, min=0, description="seconds for the index")
    describe_s = dy.Float64(nullable=True, min=0, description="seconds for the descriptions")
    label_s = dy.Float64(
        nullable=True, min=0, description="seconds to label and publish, Ray's start included"
    )
    verify_s = dy.Float64(nullable=True, min=0, description="seconds to verify the runs")
    laketag_version = dy.String(min_length=1, description="version of laketag")
