package dev.towline.runtime.firewall;

import java.math.BigInteger;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Addresses of one family, both ends included. */
public record IpRange(boolean v6, BigInteger from, BigInteger to) {
  private static final int V4_BITS = 32;
  private static final int V6_BITS = 128;

  /** Reads an address, a network ({@code 10.0.0.0/8}) or a range ({@code 10.0.0.1-10.0.0.9}). */
  public static Optional<IpRange> parse(String text) {
    int slash = text.indexOf('/');
    int dash = text.indexOf('-');
    if (slash > 0) {
      Optional<IpRange> base = address(text.substring(0, slash));
      return base.flatMap(address -> network(address, text.substring(slash + 1)));
    }
    if (dash > 0) {
      Optional<IpRange> low = address(text.substring(0, dash).strip());
      Optional<IpRange> high = address(text.substring(dash + 1).strip());
      if (low.isEmpty() || high.isEmpty()) {
        return Optional.empty();
      }
      boolean ordered =
          low.get().v6 == high.get().v6 && low.get().from.compareTo(high.get().from) <= 0;
      return ordered
          ? Optional.of(new IpRange(low.get().v6, low.get().from, high.get().from))
          : Optional.empty();
    }
    return address(text);
  }

  /** One address; names are no addresses. */
  public static Optional<IpRange> address(String text) {
    boolean v6 = text.indexOf(':') >= 0;
    if (!text.matches(v6 ? "[0-9a-fA-F:.]{2,45}" : "\\d{1,3}(\\.\\d{1,3}){3}")) {
      return Optional.empty();
    }
    try {
      byte[] bytes = InetAddress.getByName(text).getAddress();
      // An IPv4 address in IPv6 dress comes back as IPv4.
      var value = new BigInteger(1, bytes);
      return Optional.of(new IpRange(bytes.length == 16, value, value));
    } catch (UnknownHostException _) {
      return Optional.empty();
    }
  }

  /** Sorted, without overlaps: what nft takes as one set. */
  static List<IpRange> merged(List<IpRange> ranges, boolean v6) {
    List<IpRange> sorted =
        ranges.stream()
            .filter(range -> range.v6 == v6)
            .sorted(Comparator.comparing(IpRange::from))
            .toList();
    List<IpRange> merged = new ArrayList<>();
    for (IpRange range : sorted) {
      IpRange last = merged.isEmpty() ? null : merged.getLast();
      if (last != null && range.from.compareTo(last.to.add(BigInteger.ONE)) <= 0) {
        merged.set(merged.size() - 1, new IpRange(v6, last.from, last.to.max(range.to)));
      } else {
        merged.add(range);
      }
    }
    return merged;
  }

  boolean contains(IpRange address) {
    return v6 == address.v6 && from.compareTo(address.from) <= 0 && to.compareTo(address.to) >= 0;
  }

  /** As nft reads it. */
  public String text() {
    return from.equals(to) ? text(from) : text(from) + "-" + text(to);
  }

  private String text(BigInteger value) {
    if (!v6) {
      long bits = value.longValue();
      return (bits >> 24)
          + "."
          + (bits >> 16 & 0xff)
          + "."
          + (bits >> 8 & 0xff)
          + "."
          + (bits & 0xff);
    }
    byte[] bytes = new byte[V6_BITS / Byte.SIZE];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = value.shiftRight(8 * (bytes.length - 1 - i)).byteValue();
    }
    try {
      return InetAddress.getByAddress(bytes).getHostAddress();
    } catch (UnknownHostException e) {
      throw new IllegalStateException("an address of " + bytes.length + " bytes", e);
    }
  }

  private static Optional<IpRange> network(IpRange address, String prefix) {
    int bits = address.v6 ? V6_BITS : V4_BITS;
    if (!prefix.matches("\\d{1,3}") || Integer.parseInt(prefix) > bits) {
      return Optional.empty();
    }
    int free = bits - Integer.parseInt(prefix);
    BigInteger low = address.from.shiftRight(free).shiftLeft(free);
    BigInteger high = low.add(BigInteger.ONE.shiftLeft(free)).subtract(BigInteger.ONE);
    return Optional.of(new IpRange(address.v6, low, high));
  }
}
