# The proxy, a node of a cluster. 443 sessions of agents, 80 and 8080 plain HTTP for installing.
# First start: mount the enrollment file of 'towline proxies command' at /run/towline/enrollment.json.
ARG BASE
FROM $BASE AS unpacked
ADD towline-proxy.tar.gz /opt
RUN mv /opt/towline-proxy-* /opt/towline

FROM $BASE
COPY --from=unpacked /opt/towline /opt/towline
RUN ln -s /opt/towline/bin/towline-proxy /usr/local/bin/ \
 && useradd --system --user-group --uid 999 --home-dir /var/lib/towline --create-home --shell /usr/sbin/nologin towline \
 && install -d -o towline -g towline /run/towline
USER towline
VOLUME /var/lib/towline
EXPOSE 443 80 8080
ENTRYPOINT ["towline-proxy"]
CMD ["run", "--data", "/var/lib/towline/proxy", "--enrollment", "/run/towline/enrollment.json"]
