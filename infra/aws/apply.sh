#!/usr/bin/env bash
# Creates or updates the roles and bucket rules of this folder; run it from a rendered copy (infra/render.sh).
#   apply.sh ec2   roles laketag-head and laketag-worker with instance profiles, for ray_cluster.yaml
#   apply.sh eks   role laketag-pod, for the pods of infra/kubernetes
#   apply.sh buckets   bucket policies and the lifecycle of staging. These calls REPLACE the rules that the buckets have.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

role() {  # NAME TRUST POLICY…: the role exists, with exactly these inline policies
  local name=$1 trust=$2 policy old
  shift 2
  if aws iam get-role --role-name "$name" >/dev/null 2>&1; then
    aws iam update-assume-role-policy --role-name "$name" --policy-document "file://$trust"
  else
    aws iam create-role --role-name "$name" --assume-role-policy-document "file://$trust" >/dev/null
  fi
  for old in $(aws iam list-role-policies --role-name "$name" --query 'PolicyNames[]' --output text); do
    [[ " $* " == *" $old "* ]] || aws iam delete-role-policy --role-name "$name" --policy-name "$old"
  done
  for policy in "$@"; do
    aws iam put-role-policy --role-name "$name" --policy-name "$policy" --policy-document "file://$policy.json"
  done
  echo "role $name: $*"
}

profile() {  # NAME: an instance profile of that name holds the role of that name
  if ! aws iam get-instance-profile --instance-profile-name "$1" >/dev/null 2>&1; then
    aws iam create-instance-profile --instance-profile-name "$1" >/dev/null
    aws iam add-role-to-instance-profile --instance-profile-name "$1" --role-name "$1"
  fi
  echo "instance profile $1"
}

value() {
  grep -E "^$1=" ../values.env | cut -d= -f2
}

case ${1-} in
  ec2)
    role laketag-worker trust-ec2.json data pull-image
    role laketag-head trust-ec2.json data pull-image head-ec2
    profile laketag-worker
    profile laketag-head
    ;;
  eks)
    role laketag-pod trust-eks.json data
    ;;
  buckets)
    aws s3api put-bucket-policy --bucket "$(value IMAGES_BUCKET)" --policy file://bucket-images.json
    aws s3api put-bucket-policy --bucket "$(value LAKE_BUCKET)" --policy file://bucket-lake.json
    aws s3api put-bucket-lifecycle-configuration --bucket "$(value LAKE_BUCKET)" --lifecycle-configuration file://lifecycle.json
    echo "bucket policies of $(value IMAGES_BUCKET) and $(value LAKE_BUCKET), lifecycle of $(value LAKE_BUCKET)"
    ;;
  *)
    echo "usage: apply.sh ec2 | eks | buckets   (from a folder that infra/render.sh wrote)" >&2
    exit 2
    ;;
esac
