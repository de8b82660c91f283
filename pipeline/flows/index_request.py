"""The options of an index, checked against what its source is."""

from laketag.pipeline.config import Section, Settings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.flows.index_images import IndexRequest
from laketag.pipeline.images.index_columns import IndexColumns
from laketag.pipeline.images.layout_names import LayoutName
from laketag.pipeline.images.listing import ListingRules
from laketag.pipeline.images.read_source import Source
from laketag.pipeline.images.sources import find_kind
from laketag.pipeline.lake.paths import checked_name


class IndexOptions(Section):
    """Where the images of a collection are, and how they are found there."""

    source: str
    """a folder of images, one image, a table, a manifest.json of S3 Inventory, or a .txt list of paths"""
    collection: str
    """name of the image collection"""
    class_from_folder: bool = False
    """the folder that an image is in is its true class; not for tables"""
    layout: LayoutName | None = None
    """how the folder of a benchmark is laid out; its own files tell which images are of the test split, and their classes"""
    exclude: tuple[str, ...] = ()
    """leave out files and folders of these names, or with a slash in it, these paths"""
    by_content: bool | None = None
    """recognise images without an extension of images by their first bytes; unset: in folders, not in stores"""
    parquet: bool = False
    """the source is a Parquet file or a folder of them"""
    uri_column: str | None = None
    """table: the column of URIs"""
    id_column: str | None = None
    """table: the column of unique ids; unset: ids are made from URIs"""
    etag_column: str | None = None
    """table: the column of the store's own ETags; unset: each is requested from the store"""
    class_column: str | None = None
    """table: the column of true classes"""
    image_column: str | None = None
    """table: the column of embedded image bytes, or of a struct with a field bytes"""


def make_request(options: IndexOptions, settings: Settings, *, accept_gone: bool = False) -> IndexRequest:
    """What index_images needs; a SettingsError if an option is not for this kind of source."""
    checked_name(options.collection, "collection")
    columns = IndexColumns(
        uri=options.uri_column,
        id=options.id_column,
        etag=options.etag_column,
        true_class=options.class_column,
        image=options.image_column,
    )
    kind = find_kind(options.source, settings.source_storage, is_table=options.parquet)
    if any(vars(columns).values()) and kind != "table":
        raise SettingsError(
            f"{options.source} is not a .parquet or .csv file, and only tables take the --…-column options; "
            "add --parquet, or leave the options out"
        )
    if kind == "table" and options.class_from_folder:
        raise SettingsError(
            "--class-from-folder is for folders and lists of images; name the column of classes with --class-column "
            "(folders NAME=VALUE of a table are columns too)"
        )
    if options.layout and (kind != "folder" or options.class_from_folder or options.by_content is not None):
        raise SettingsError(
            f"--layout {options.layout} is for folders and prefixes, where it finds images by their extension and states their "
            "true classes; leave out --class-from-folder, --by-content and --by-extension, or --layout"
        )
    if kind not in ("folder", "inventory") and (options.exclude or options.by_content is not None):
        raise SettingsError(
            "--exclude, --by-content and --by-extension are for folders of images and S3 Inventories; leave them out"
        )
    return IndexRequest(
        source=Source(
            url=options.source,
            kind=kind,
            rules=ListingRules(exclude=options.exclude, by_content=options.by_content),
            columns=columns,
            class_from_folder=options.class_from_folder,
            layout=options.layout,
        ),
        collection=options.collection,
        storage=settings.source_storage,
        allowed_roots=settings.fetch.allowed_roots,
        local_images=settings.fetch.local_images,
        max_gone_fraction=settings.index.max_gone_fraction,
        accept_gone=accept_gone,
    )
