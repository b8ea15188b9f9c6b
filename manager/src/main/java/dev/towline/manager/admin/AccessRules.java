package dev.towline.manager.admin;

import dev.towline.manager.access.UserRole;

/** The one table role x method of the admin API. */
final class AccessRules {
  private AccessRules() {}

  static boolean mayCall(UserRole role, String method) {
    return switch (role) {
      case ADMINISTRATOR -> method.startsWith("towline.v1.");
    };
  }

  /** Whether a call changes something, and is therefore audited. */
  static boolean isWrite(String method) {
    String name = method.substring(method.lastIndexOf('/') + 1);
    return !name.startsWith("List")
        && !name.startsWith("Get")
        && !name.startsWith("Watch")
        // Parts of what is published, and recorded, as a whole.
        && !name.startsWith("Upload");
  }
}
