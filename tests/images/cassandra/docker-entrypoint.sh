#!/bin/sh
# Stands in for the official image's: variables go into cassandra.yaml, then Cassandra runs as its own user.
set -eu
conf=/etc/cassandra

[ "${1:-}" = cassandra ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
  chown -R cassandra /var/lib/cassandra
  # As root, Cassandra would also lock all of its memory.
  exec setpriv --reuid cassandra --regid cassandra --init-groups --bounding-set -ipc_lock --inh-caps -ipc_lock "$0" "$@"
fi

address=$(hostname -i)
: "${CASSANDRA_LISTEN_ADDRESS:=$address}" "${CASSANDRA_RPC_ADDRESS:=0.0.0.0}"
: "${CASSANDRA_BROADCAST_ADDRESS:=$address}" "${CASSANDRA_BROADCAST_RPC_ADDRESS:=$address}" "${CASSANDRA_SEEDS:=$address}"
for key in cluster_name num_tokens listen_address broadcast_address rpc_address broadcast_rpc_address endpoint_snitch; do
  eval "value=\${CASSANDRA_$(echo $key | tr a-z A-Z):-}"
  if [ -n "$value" ]; then
    sed -i "/^$key:/d" $conf/cassandra.yaml
    echo "$key: $value" >>$conf/cassandra.yaml
  fi
done
sed -i "s/- seeds:.*/- seeds: \"$CASSANDRA_SEEDS\"/" $conf/cassandra.yaml
[ -z "${CASSANDRA_DC:-}" ] || sed -i "s/^dc=.*/dc=$CASSANDRA_DC/" $conf/cassandra-rackdc.properties
[ -z "${CASSANDRA_RACK:-}" ] || sed -i "s/^rack=.*/rack=$CASSANDRA_RACK/" $conf/cassandra-rackdc.properties

exec java -Xmx${MAX_HEAP_SIZE:-1g} -XX:+UseSerialGC -XX:-UsePerfData @$conf/jvm17-server.options \
  -javaagent:"$(ls /opt/cassandra/lib/jamm-*.jar)" -Djdk.attach.allowAttachSelf=true -Djava.security.manager=allow \
  -Dcassandra.jmx.local.port=7199 -Dcassandra-foreground=yes -Dcassandra.storagedir=/var/lib/cassandra \
  -Dcassandra.config=file://$conf/cassandra.yaml ${JVM_EXTRA_OPTS:-} \
  -cp "$conf:/opt/cassandra/lib/*" org.apache.cassandra.service.CassandraDaemon
