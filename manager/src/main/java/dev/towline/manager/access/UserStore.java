package dev.towline.manager.access;

import java.util.Optional;

/** Users and their tokens. Part of a transaction. */
public interface UserStore {
  int count();

  Optional<User> find(String name);

  /** Creates the user, or replaces everything but the name. */
  void save(User user);

  void createSignIn(SignIn signIn);

  Optional<SignIn> signIn(String tokenHash);

  void deleteSignIn(String tokenHash);

  /** Ends every other sign-in of the user. */
  void deleteSignInsExcept(String user, String tokenHash);

  void deleteExpired(long nowMs);

  /** A token that was given out; only its hash is known. */
  record SignIn(String tokenHash, String user, long createdMs, long expiresMs) {}
}
