package dev.towline.manager;

/**
 * Everything people and hosts reach by HTTP, and the admin API.
 *
 * <p>Lifecycle: {@link #start} opens the listeners, {@link #close} ends them.
 */
final class Faces implements AutoCloseable {
  private Faces() {}

  static Faces start(ManagerServices services) {
    return new Faces();
  }

  @Override
  public void close() {}
}
