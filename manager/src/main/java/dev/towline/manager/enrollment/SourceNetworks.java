package dev.towline.manager.enrollment;

import dev.towline.runtime.error.TowlineException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** From where an install command may be used: CIDR blocks; none is anywhere. */
public record SourceNetworks(List<String> blocks) {
  public static final SourceNetworks ANY = new SourceNetworks(List.of());

  private static final Pattern LITERAL = Pattern.compile("[0-9.]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*");

  public SourceNetworks {
    blocks = List.copyOf(blocks);
  }

  /**
   * @throws TowlineException with INSTALL_COMMAND_INVALID for what is no block
   */
  public static SourceNetworks of(List<String> texts) {
    List<String> blocks = new ArrayList<>();
    for (String text : texts) {
      String block = text.strip();
      String[] parts = block.split("/", -1);
      byte[] address = address(parts[0]);
      int bits = parts.length == 2 ? bits(parts[1]) : parts.length == 1 ? address.length * 8 : -1;
      if (address.length == 0 || bits < 0 || bits > address.length * 8) {
        throw new TowlineException(
            EnrollmentTokens.TOKEN_INVALID,
            "source network: '" + text + "' (expected: an address or a block, as in 10.1.0.0/16)",
            "correct it and try again");
      }
      blocks.add(parts[0] + "/" + bits);
    }
    return new SourceNetworks(blocks);
  }

  /**
   * @param source an address without port
   */
  public boolean allows(String source) {
    if (blocks.isEmpty()) {
      return true;
    }
    byte[] from = address(source);
    return from.length > 0
        && blocks.stream()
            .anyMatch(block -> {
              int slash = block.indexOf('/');
              return covers(
                  address(block.substring(0, slash)), bits(block.substring(slash + 1)), from);
            });
  }

  private static boolean covers(byte[] network, int bits, byte[] address) {
    if (network.length != address.length) {
      return false;
    }
    for (int i = 0; i < bits; i++) {
      int mask = 0x80 >> (i % 8);
      if ((network[i / 8] & mask) != (address[i / 8] & mask)) {
        return false;
      }
    }
    return true;
  }

  private static int bits(String text) {
    return text.matches("[0-9]{1,3}") ? Integer.parseInt(text) : -1;
  }

  /** Empty for what is no address; names are never looked up. */
  private static byte[] address(String text) {
    String bare =
        text.startsWith("[") && text.endsWith("]") ? text.substring(1, text.length() - 1) : text;
    int zone = bare.indexOf('%');
    String literal = zone < 0 ? bare : bare.substring(0, zone);
    if (!LITERAL.matcher(literal).matches()) {
      return new byte[0];
    }
    try {
      return InetAddress.getByName(literal).getAddress();
    } catch (UnknownHostException e) {
      return new byte[0];
    }
  }
}
