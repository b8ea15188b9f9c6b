package dev.towline.cli.error;

/** What scripts can rely on. */
public final class ExitCodes {
  /** Done; for {@code run}: succeeded on every host. */
  public static final int OK = 0;

  /** Failed; for {@code run}: failed on at least one host. */
  public static final int FAILED = 1;

  /** The command line itself is wrong. */
  public static final int USAGE = 2;

  /** Not signed in, not allowed, or the manager is not the one that was pinned. */
  public static final int REFUSED = 3;

  /** The selector matches no host. */
  public static final int NO_HOST = 4;

  /** The watch ended before every host had. */
  public static final int UNFINISHED = 5;

  private ExitCodes() {}
}
