package dev.towline.it.topology;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The firewall between an inner network and a DMZ: the inner side may connect outwards, nothing may
 * connect inwards. Its rules are in {@code topology/dmz-firewall.nft}.
 */
public final class DmzFirewall {
  private static final String RULES = "/etc/towline-test/dmz-firewall.nft";
  private static final Pattern PACKETS = Pattern.compile("packets (\\d+)");

  /** What the firewall counts. */
  public enum Counter {
    INNER_TO_DMZ_NEW,
    DMZ_TO_INNER_DROPPED,
    DMZ_TO_INNER_NEW_PASSED,
    ESTABLISHED
  }

  private final Host host;
  private final Segment inner;
  private final Segment dmz;

  private DmzFirewall(Host host, Segment inner, Segment dmz) {
    this.host = host;
    this.inner = inner;
    this.dmz = dmz;
  }

  /** Starts a firewall with a leg on each side. */
  public static DmzFirewall start(Lab lab, Segment inner, Segment dmz) {
    var firewall = new DmzFirewall(lab.router("firewall", inner, dmz), inner, dmz);
    firewall.host.write(RULES, rules());
    firewall.load();
    return firewall;
  }

  public Host host() {
    return host;
  }

  /** Makes this firewall the only way out for a host on either side. */
  public void guard(Host guarded) {
    for (Segment side : new Segment[] {inner, dmz}) {
      if (guarded.legs().contains(side)) {
        guarded.routeThrough(host, side);
      }
    }
  }

  /** Packets counted since the rules were loaded. */
  public long count(Counter counter) {
    String listed = host.sh("nft list counter inet dmz " + counter.name().toLowerCase(Locale.ROOT));
    Matcher matcher = PACKETS.matcher(listed);
    if (!matcher.find()) {
      throw new AssertionError("counter: " + listed + " (expected: packets N)");
    }
    return Long.parseLong(matcher.group(1));
  }

  /** The TCP connections through it, one line each as {@code conntrack} shows them. */
  public List<String> connections() {
    return host.sh("conntrack -L -p tcp 2>/dev/null").lines().toList();
  }

  /** Drops everything from now on, without a word to either side. */
  public void cut() {
    host.sh("nft add rule inet dmz faults drop");
  }

  /** Drops this share of all packets at random. */
  public void lose(int percent) {
    host.sh("nft add rule inet dmz faults numgen random mod 100 '<' " + percent + " drop");
  }

  /** Answers every packet of a TCP connection with a reset, as some firewalls end idle ones. */
  public void reset() {
    host.sh("nft add rule inet dmz faults meta l4proto tcp reject with tcp reset");
  }

  /** Takes back what {@link #cut()}, {@link #lose} and {@link #reset()} did. */
  public void mend() {
    host.sh("nft flush chain inet dmz faults");
  }

  /** Lets everything pass, in both directions: for showing that nothing else is in the way. */
  public void open() {
    host.sh("nft add rule inet dmz faults accept");
  }

  /** Forgets all connections, as a firewall that restarts without their state. */
  public void forgetConnections() {
    host.sh("conntrack -F");
  }

  private void load() {
    host.sh("nft -D 'INNER=%s' -D 'DMZ=%s' -f %s".formatted(inner.subnet(), dmz.subnet(), RULES));
  }

  private static String rules() {
    try (InputStream in =
        Objects.requireNonNull(
            DmzFirewall.class.getResourceAsStream("/topology/dmz-firewall.nft"))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
