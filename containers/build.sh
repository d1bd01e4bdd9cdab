#!/bin/sh
# Build the images and, with a registry, push each to its repository of ECR:
#   containers/build.sh [REGISTRY [TAG]]     such as 123456789012.dkr.ecr.us-east-1.amazonaws.com v1
# BUILDER names another builder than docker, such as "buildah bud"; ARGS is handed on to it.
set -eu
cd "$(dirname "$0")/.."
registry=${1:-}
tag=${2:-latest}
for target in training processing inference lambda; do
    case $target in
        # The functions of Lambda run the inference image's sibling, from its repository.
        lambda) name=bqx-ml-inference:$tag-lambda ;;
        *) name=bqx-ml-$target:$tag ;;
    esac
    name=${registry:+$registry/}$name
    ${BUILDER:-docker build} ${ARGS:-} -f containers/Dockerfile --target "$target" -t "$name" .
    if [ -n "$registry" ]; then
        ${PUSH:-docker push} "$name"
    fi
done
