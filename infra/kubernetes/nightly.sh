#!/usr/bin/env bash
# One night's work, on the head of the night's cluster: index the bucket, describe the classes, label new and changed images. Each
# of the three takes seconds if nothing has changed.
set -euo pipefail
: "${LAKETAG_COLLECTION:?}" "${LAKETAG_SET:?}" "${LAKETAG_CLASSES:?}"  # from the head's pod, see rayjob.yaml
root=s3://example-lake/laketag
settings=/etc/laketag/settings.toml

laketag index s3://example-images/ --root "$root" --collection "$LAKETAG_COLLECTION" --settings "$settings"
laketag describe "$LAKETAG_CLASSES" --root "$root" --set "$LAKETAG_SET" --settings "$settings"
# A run that the last night did not finish is finished first.
laketag label --root "$root" --collection "$LAKETAG_COLLECTION" --set "$LAKETAG_SET" --settings "$settings" --verbose
