# The manager, with the packages that it hands out. 7443 sessions, 8443 hosts, 8444 people, 8080 updates.
ARG BASE
FROM $BASE AS unpacked
ADD towline-manager.tar.gz /opt
RUN mv /opt/towline-manager-* /opt/towline

FROM $BASE
COPY --from=unpacked /opt/towline /opt/towline
COPY packages /opt/packages
RUN ln -s /opt/towline/bin/towline-manager /usr/local/bin/ \
 && useradd --system --user-group --uid 999 --home-dir /var/lib/towline --create-home --shell /usr/sbin/nologin towline
USER towline
VOLUME /var/lib/towline
EXPOSE 7443 8443 8444 8080
ENTRYPOINT ["towline-manager"]
CMD ["serve", "--data", "/var/lib/towline/manager", "--packages", "/opt/packages"]
