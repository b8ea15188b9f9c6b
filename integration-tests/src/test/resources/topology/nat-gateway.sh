#!/bin/sh
# Rules of others on a NAT gateway: an administrator's, Docker's and fail2ban's as these write them, ufw and firewalld
# themselves. nat-gateway.sh INNER-NETWORK CLIENT OUTSIDE-SERVER
set -eu
wan=$(ip -o route get "$3" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
lan=$(ip -o route get "$2" | sed -n 's/.* dev \([^ ]*\).*/\1/p')

# firewalld, which runs; first, because its start empties the tables of iptables
systemctl start firewalld
firewall-cmd -q --zone=trusted --add-interface="$lan"
firewall-cmd -q --zone=trusted --add-interface="$wan"

ipset create banned hash:ip
ipset add banned 203.0.113.64

# Administrator: translation out, a port forward in.
iptables-nft -t nat -A POSTROUTING -o "$wan" -s "$1" -j MASQUERADE
iptables-nft -t nat -A PREROUTING -i "$wan" -p tcp --dport 8080 -j DNAT --to-destination "$2:8000"
iptables-nft -t nat -A POSTROUTING -o "$lan" -d "$2" -p tcp --dport 8000 -j MASQUERADE
iptables-nft -A INPUT -m set --match-set banned src -j DROP
ip6tables-nft -A FORWARD -p icmpv6 -j ACCEPT
iptables-legacy -A OUTPUT -d 203.0.113.68 -j DROP
ip6tables-legacy -A OUTPUT -d 2001:db8::68 -j DROP

# fail2ban
iptables-nft -N f2b-sshd
iptables-nft -A f2b-sshd -s 203.0.113.67 -j REJECT --reject-with icmp-port-unreachable
iptables-nft -A f2b-sshd -j RETURN
iptables-nft -I INPUT -p tcp -m multiport --dports 22 -j f2b-sshd

# Docker
iptables-nft -N DOCKER
iptables-nft -N DOCKER-USER
iptables-nft -N DOCKER-ISOLATION-STAGE-1
iptables-nft -N DOCKER-ISOLATION-STAGE-2
iptables-nft -t nat -N DOCKER
iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables-nft -t nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
iptables-nft -t nat -A POSTROUTING -s 172.31.0.0/16 ! -o docker9 -j MASQUERADE
iptables-nft -t nat -A DOCKER -i docker9 -j RETURN
iptables-nft -A FORWARD -j DOCKER-USER
iptables-nft -A FORWARD -j DOCKER-ISOLATION-STAGE-1
iptables-nft -A FORWARD -o docker9 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables-nft -A FORWARD -o docker9 -j DOCKER
iptables-nft -A FORWARD -i docker9 ! -o docker9 -j ACCEPT
iptables-nft -A DOCKER-ISOLATION-STAGE-1 -i docker9 ! -o docker9 -j DOCKER-ISOLATION-STAGE-2
iptables-nft -A DOCKER-ISOLATION-STAGE-1 -j RETURN
iptables-nft -A DOCKER-ISOLATION-STAGE-2 -o docker9 -j DROP
iptables-nft -A DOCKER-ISOLATION-STAGE-2 -j RETURN
iptables-nft -A DOCKER-USER -j RETURN

# A filter chain of somebody else.
nft -f - <<END
table inet others {
  set banned {
    type ipv4_addr
    elements = { 203.0.113.66 }
  }
  chain input {
    type filter hook input priority 0; policy accept;
    ip saddr @banned counter drop
  }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related counter accept
    iifname "$lan" counter accept
    ip daddr $2 tcp dport 8000 counter accept
  }
}
END

# ufw, which runs
ufw --force enable >/dev/null
ufw allow 7200/tcp >/dev/null
ufw route allow in on "$lan" out on "$wan" >/dev/null
ufw route allow proto tcp to "$2" port 8000 >/dev/null
