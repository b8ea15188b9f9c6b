# The relay: a parent, or a child in the DMZ. 52311 is what a parent dials, 7443 and 8443 serve the hosts below.
# First start: mount the enrollment file of 'towline relays pair' (a parent: 'relays parent-command') at /run/towline/enrollment.json.
ARG BASE
FROM $BASE AS unpacked
ADD towline-relay.tar.gz /opt
RUN mv /opt/towline-relay-* /opt/towline

FROM $BASE
COPY --from=unpacked /opt/towline /opt/towline
RUN ln -s /opt/towline/bin/towline-relay /usr/local/bin/ \
 && useradd --system --user-group --uid 999 --home-dir /var/lib/towline --create-home --shell /usr/sbin/nologin towline \
 && install -d -o towline -g towline /run/towline
USER towline
VOLUME /var/lib/towline
EXPOSE 52311 7443 8443
ENTRYPOINT ["towline-relay"]
CMD ["run", "--data", "/var/lib/towline/relay", "--enrollment", "/run/towline/enrollment.json"]
