#!/usr/bin/env bash
# Writes copies of ray_cluster.yaml and infra/ to a folder, with the values of an env file (see infra/values.example.env).
set -euo pipefail

if [[ $# -ne 2 || ! -f ${1-} ]]; then
  echo "usage: infra/render.sh VALUES.env FOLDER   (VALUES.env: a changed copy of infra/values.example.env)" >&2
  exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
names=(IMAGE AWS_ACCOUNT AWS_REGION IMAGES_BUCKET LAKE_BUCKET LAKE_PREFIX MACHINE_IMAGE SECURITY_GROUP)

value_of() {  # NAME FILE: its value; the file is read, never run
  local line
  line=$(grep -E "^$1=" "$2" | tail -n 1) || { echo "$2 has no value for $1; add the line $1=…" >&2; exit 2; }
  line=${line#*=}
  if [[ ! $line =~ ^[A-Za-z0-9][A-Za-z0-9./_:-]*$ ]]; then
    echo "$2: $1='$line' is empty or has other characters than letters, digits and . / _ : -; correct that line" >&2
    exit 2
  fi
  printf '%s' "$line"
}

# In two steps, through marks that no manifest contains, so that a new value that equals another example is not replaced again.
mark=() ; fill=()
for name in "${names[@]}"; do
  example=$(value_of "$name" "$here/values.example.env")
  value=$(value_of "$name" "$1")
  case $name in
    LAKE_PREFIX)  # the word is also the project's name: only where it follows the bucket or is the prefix of a rule
      mark+=(-e "s|@LAKE_BUCKET@/${example}\\b|@LAKE_BUCKET@/@${name}@|g"
             -e "s|\"${example}\", \"${example}/\\*\"|\"@${name}@\", \"@${name}@/*\"|g"
             -e "s|\"Prefix\": \"${example}/|\"Prefix\": \"@${name}@/|g") ;;
    IMAGE)  # also its two halves: where Docker logs in, and what a role may pull
      if [[ $value != */* ]]; then
        echo "$1: IMAGE='$value' names no registry; write HOST/REPOSITORY" >&2
        exit 2
      fi
      registry=${example%%/*} repository=${example#*/}
      mark+=(-e "s|${example//./\\.}|@${name}@|g"
             -e "s|${registry//./\\.}|@REGISTRY@|g"
             -e "s|:repository/${repository}\"|:repository/@REPOSITORY@\"|g")
      fill+=(-e "s|@REGISTRY@|${value%%/*}|g" -e "s|@REPOSITORY@|${value#*/}|g") ;;
    *) mark+=(-e "s|${example//./\\.}|@${name}@|g") ;;
  esac
  fill+=(-e "s|@${name}@|${value}|g")
done

mkdir -p "$2/infra"
cp "$here/../ray_cluster.yaml" "$2/"
for part in aws kubernetes monitoring; do cp -R "$here/$part" "$2/infra/"; done
cp "$1" "$2/infra/values.env"
find "$2/ray_cluster.yaml" "$2/infra/aws" "$2/infra/kubernetes" "$2/infra/monitoring" -type f \
  -exec sed -i "${mark[@]}" "${fill[@]}" {} +
echo "written: $2/ray_cluster.yaml and $2/infra"
