package dev.towline.manager.install;

import dev.towline.runtime.policy.UpdatePolicy;
import java.util.function.UnaryOperator;

/**
 * Where a host fetches its package from before its manager or proxy is asked (U3). What is there is
 * pinned by hash like everything that an install command fetches.
 *
 * @param address http, https, or an absolute path of a directory or share; empty for none
 * @param login user and password with a colon between them, for an address; empty for none
 */
public record InstallSource(String address, String login) {
  public static final InstallSource NONE = new InstallSource("", "");

  /** A policy's own, and without one the first source of its updates. */
  public static InstallSource of(UnaryOperator<String> settings) {
    String own = settings.apply(UpdatePolicy.INSTALL_SOURCE);
    String address = own.equals(UpdatePolicy.NONE) ? settings.apply(UpdatePolicy.SOURCE) : own;
    if (address.equals(UpdatePolicy.NONE)) {
      return NONE;
    }
    String user = settings.apply(UpdatePolicy.USER);
    boolean known = !user.isEmpty() && !address.startsWith("/");
    return new InstallSource(
        address.endsWith("/") ? address.substring(0, address.length() - 1) : address,
        known ? user + ":" + settings.apply(UpdatePolicy.PASSWORD) : "");
  }
}
