package dev.towline.cli;

/** The command line of towline. */
public final class TowlineMain {
  private TowlineMain() {}

  public static void main(String[] args) {
    System.exit(
        TowlineCommand.run(CliContext.ofProcess(System.out, System.err, System.getenv()), args));
  }
}
