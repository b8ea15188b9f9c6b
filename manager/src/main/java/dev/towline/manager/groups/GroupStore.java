package dev.towline.manager.groups;

import java.util.List;
import java.util.Optional;

/** Groups of hosts. Part of a transaction. */
public interface GroupStore {
  /** Creates it where it does not exist yet. */
  void ensure(String name, long nowMs);

  void create(String name, String description, long nowMs);

  Optional<HostGroup> find(String name);

  /** In order of name. */
  List<HostGroup> list();

  /** Hosts and install commands follow. */
  void rename(String name, String newName);

  void delete(String name);
}
