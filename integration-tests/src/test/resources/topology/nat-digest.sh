#!/bin/sh
# Everything on a host that decides about packets and is not Towline's, without counters.
nft -s list ruleset | sed '/^table [a-z]* towline {/,/^}/d'
for tool in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do
  echo "== $tool"
  "$tool-save" | grep -v '^#' | sed 's/\[[0-9]*:[0-9]*\]//'
done
echo "== ipset"
ipset save
echo "== sysctl"
cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding /proc/sys/net/ipv4/conf/*/forwarding
