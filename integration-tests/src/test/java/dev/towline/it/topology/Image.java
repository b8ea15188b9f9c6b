package dev.towline.it.topology;

import org.testcontainers.utility.DockerImageName;

/** What a host starts from. All are built by {@code images/build}. */
public enum Image {
  /** Essential packages only: no curl, no wget, no CA certificates, no Java, no {@code ip}. */
  BARE("bare"),
  /** Tools to route, filter and look; no Java. */
  BASE("base"),
  /** {@link #BARE} with curl. */
  CURL_ONLY("curl-only"),
  /** {@link #BARE} with wget. */
  WGET_ONLY("wget-only"),
  /** {@link #BASE} with systemd as its first process. */
  SYSTEMD("systemd"),
  /** {@link #SYSTEMD} with ufw, firewalld and ipset, none of them running. */
  GATEWAY("gateway");

  private final String label;

  Image(String label) {
    this.label = label;
  }

  DockerImageName dockerName() {
    return DockerImageName.parse("towline-test/" + label);
  }

  boolean hasSystemd() {
    return this == SYSTEMD || this == GATEWAY;
  }

  boolean hasIp() {
    return this != BARE;
  }
}
