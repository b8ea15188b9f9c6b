#!/usr/bin/env bash
# Shows with docker alone, without Java, that the firewall container decides between the networks `inner` and `dmz`:
# what the topology DmzPair builds and DmzFirewallIT proves, in a form that can be poked at. Needs towline-test/base
# (images/build). Prints one line per claim, leaves nothing behind, and fails when a claim does not hold.
#
# Why the networks are not `--internal`: for those docker adds host rules that drop packets whose other end is outside
# the subnet, also between two containers on the bridge (bridge-nf-call-iptables is 1), so docker and not the firewall
# would decide. Instead each host's default route is replaced by one through the firewall, and the firewall has none.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=towline-dmz-$$
inner=$run-inner dmz=$run-dmz

cleanup() {
  docker ps -aq --filter "label=towline-topology=$run" | xargs -r docker rm -f >/dev/null
  docker network ls -q --filter "label=towline-topology=$run" | xargs -r docker network rm >/dev/null
}
trap cleanup EXIT

container() { # NAME NETWORK [OPTION...]
  docker run -d --init --name "$run-$1" --hostname "$1" --network "$2" --cap-add NET_ADMIN \
    --label "towline-topology=$run" "${@:3}" towline-test/base sleep infinity >/dev/null
}
on() { docker exec "$run-$1" "${@:2}"; }
subnet() { docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "$1"; }
address() { docker inspect -f "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}" "$run-$1"; }
counter() { on firewall nft list counter inet dmz "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }
connects() { on "$1" timeout 5 nc -z -w 2 "$2" "$3"; }
claim() {
  if "${@:2}"; then echo "holds: $1"; else echo "FAILS: $1"; exit 1; fi
}
not() { ! "$@"; }
grew() { [ "$(counter "$1")" -gt "$2" ]; }
unchanged() { [ "$(counter "$1")" -eq "$2" ]; }

for network in "$inner" "$dmz"; do
  docker network create --label "towline-topology=$run" "$network" >/dev/null
done
container firewall "$inner" --sysctl net.ipv4.ip_forward=1
docker network connect "$dmz" "$run-firewall"
on firewall ip route del default
docker exec -i "$run-firewall" nft -D "INNER=$(subnet "$inner")" -D "DMZ=$(subnet "$dmz")" -f - <"$here/dmz-firewall.nft"
for host in "manager $inner" "agent $dmz"; do
  read -r name network <<<"$host"
  container "$name" "$network"
  on "$name" ip route replace default via "$(address firewall "$network")"
  docker exec -d "$run-$name" sh -c 'while :; do echo "hello from $(hostname)" | nc -l -N -p 7443; done'
done
manager=$(address manager "$inner") agent=$(address agent "$dmz")

claim 'the two hosts are on different subnets' test "$(subnet "$inner")" != "$(subnet "$dmz")"
claim 'the manager answers inside its own network' connects manager "$manager" 7443
claim 'the agent answers inside its own network' connects agent "$agent" 7443
before=$(counter inner_to_dmz_new)
claim 'inner to dmz connects, and the reply comes back' \
  test "$(on manager timeout 5 nc -w 2 "$agent" 7443 </dev/null)" = 'hello from agent'
claim '  … through the firewall: its counter of new connections grew' grew inner_to_dmz_new "$before"
before=$(counter dmz_to_inner_dropped)
claim 'dmz to inner does not connect' not connects agent "$manager" 7443
claim '  … because the firewall dropped it: its counter grew' grew dmz_to_inner_dropped "$before"
on firewall nft insert rule inet dmz forward accept
before=$(counter dmz_to_inner_dropped)
claim 'with the firewall opened, the same connection works: docker itself does not block it' connects agent "$manager" 7443
claim '  … and nothing more was counted as dropped' unchanged dmz_to_inner_dropped "$before"
claim 'the firewall itself has no way out' not on firewall sh -c 'ip route get 198.51.100.1 2>/dev/null'
