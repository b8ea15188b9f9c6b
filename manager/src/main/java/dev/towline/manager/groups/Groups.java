package dev.towline.manager.groups;

import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.time.InstantSource;
import java.util.List;
import java.util.regex.Pattern;

/** Groups of hosts (P11). Safe for use by several threads. */
public final class Groups {
  public static final ErrorCode GROUP_NOT_FOUND = ErrorCode.user("GROUP_NOT_FOUND");
  public static final ErrorCode GROUP_EXISTS = ErrorCode.user("GROUP_EXISTS");
  public static final ErrorCode GROUP_INVALID = ErrorCode.user("GROUP_INVALID");
  public static final ErrorCode GROUP_NOT_EMPTY = ErrorCode.user("GROUP_NOT_EMPTY");

  private static final Pattern NAME = Pattern.compile("[^,=\\s/][^,=/]{0,62}");

  private final Store store;
  private final InstantSource clock;

  public Groups(Store store, InstantSource clock) {
    this.store = store;
    this.clock = clock;
  }

  /**
   * @throws TowlineException when selectors could not name such a group
   */
  public static void checkName(String name) {
    if (!NAME.matcher(name).matches() || name.endsWith(" ")) {
      throw new TowlineException(
          GROUP_INVALID,
          "group: '" + name + "' (expected: 1 to 63 characters without ',', '=' and '/')",
          "choose another name");
    }
  }

  public HostGroup create(String name, String description) {
    checkName(name);
    return store.commit(tx -> {
      if (tx.groups().find(name).isPresent()) {
        throw exists(name);
      }
      tx.groups().create(name, description, clock.millis());
      return group(tx, name);
    });
  }

  public List<HostGroup> list() {
    return store.read(tx -> tx.groups().list());
  }

  public HostGroup rename(String name, String newName) {
    checkName(newName);
    return store.commit(tx -> {
      group(tx, name);
      if (tx.groups().find(newName).isPresent()) {
        throw exists(newName);
      }
      tx.groups().rename(name, newName);
      return group(tx, newName);
    });
  }

  public void delete(String name) {
    store.commit(tx -> {
      HostGroup group = group(tx, name);
      if (group.hosts() > 0) {
        throw new TowlineException(
            GROUP_NOT_EMPTY,
            "group " + name + " has " + group.hosts() + " hosts",
            "move them first: towline hosts move group=" + name + " --group OTHER");
      }
      tx.groups().delete(name);
      return group;
    });
  }

  private static HostGroup group(Tx tx, String name) {
    return tx.groups()
        .find(name)
        .orElseThrow(() ->
            new TowlineException(
                GROUP_NOT_FOUND, "group: " + name + " does not exist", "see towline groups list"));
  }

  private static TowlineException exists(String name) {
    return new TowlineException(
        GROUP_EXISTS, "group: " + name + " exists already", "choose another name");
  }
}
