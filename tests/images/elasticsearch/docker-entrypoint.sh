#!/bin/sh
# Stands in for the official image's: a variable with a dot in its name is a setting. What xpack.* would set is not here.
set -eu
cd /usr/share/elasticsearch
set -- path.home="$PWD" path.data="$PWD/data" path.logs="$PWD/logs"
# The shell itself forgets variables with such names.
settings=$(tr '\0' '\n' </proc/$$/environ | grep '^[a-z_]*[.][a-z_.]*=' | grep -v '^xpack[.]')
IFS='
'
for setting in $settings; do
  set -- "$@" "$setting"
done
unset IFS
# It ends when its standard input does: this one never does.
[ -p /tmp/stdin ] || mkfifo /tmp/stdin
exec java ${ES_JAVA_OPTS:--Xmx512m} -XX:+UseSerialGC -XX:-UsePerfData -Dlog4j.shutdownHookEnabled=false \
  -cp 'lib/*' "$MAIN" "$@" 0<>/tmp/stdin
