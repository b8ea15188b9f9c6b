package dev.towline.manager.fleet;

import java.util.Optional;

/** Single values of the whole fleet. Part of a transaction. */
public interface FleetStateStore {
  Optional<String> value(String name);

  void put(String name, String value);

  /** Adds one and gives the result; the first is 1. */
  long next(String counter);
}
