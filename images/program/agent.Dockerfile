# The agent. Runs as root: it does what an administrator would do in this container.
# First start: mount the file of 'towline install-command create --enrollment-file FILE' at /run/towline/enrollment.json.
ARG BASE
FROM $BASE AS unpacked
ADD towline-agent.tar.gz /opt
RUN mv /opt/towline-agent-* /opt/towline

FROM $BASE
COPY --from=unpacked /opt/towline /opt/towline
RUN ln -s /opt/towline/bin/towline-agent /usr/local/bin/
VOLUME /var/lib/towline
ENTRYPOINT ["towline-agent"]
CMD ["run", "--data", "/var/lib/towline/agent", "--enrollment", "/run/towline/enrollment.json"]
