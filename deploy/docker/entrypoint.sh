#!/bin/sh
# Flags, or nothing: a node, which takes flags also from variables named TRACELITH_ and the flag, `_` for `.`. A name: that tool.
case ${1-} in
  '' | -*) exec tracelith -envflag.enable -envflag.prefix=TRACELITH_ "$@" ;;
  *) exec tracelith "$@" ;;
esac
