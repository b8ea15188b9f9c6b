package dev.towline.manager.store.sql;

import dev.towline.manager.access.User;
import dev.towline.manager.access.UserRole;
import dev.towline.manager.access.UserStore;
import java.util.Optional;
import org.jdbi.v3.core.Handle;

/** {@link UserStore} over the tables users and sign_ins. */
final class SqlUserStore implements UserStore {
  private final Handle handle;

  SqlUserStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public int count() {
    return handle.createQuery("select count(*) from users").mapTo(Integer.class).one();
  }

  @Override
  public Optional<User> find(String name) {
    return handle
        .createQuery("select * from users where name = :name")
        .bind("name", name)
        .map((row, _) ->
            new User(
                row.getString("name"),
                UserRole.ofLabel(row.getString("role")),
                row.getString("password_hash"),
                row.getBoolean("one_time"),
                row.getInt("failures"),
                row.getLong("locked_until_ms"),
                row.getLong("created_ms")))
        .findOne();
  }

  @Override
  public void save(User user) {
    handle
        .createUpdate(
            """
            insert into users (name, role, password_hash, one_time, failures, locked_until_ms,
              created_ms)
            values (:name, :role, :hash, :oneTime, :failures, :locked, :created)
            on conflict (name) do update set role = excluded.role,
              password_hash = excluded.password_hash, one_time = excluded.one_time,
              failures = excluded.failures, locked_until_ms = excluded.locked_until_ms
            """)
        .bind("name", user.name())
        .bind("role", user.role().label())
        .bind("hash", user.passwordHash())
        .bind("oneTime", user.oneTime())
        .bind("failures", user.failures())
        .bind("locked", user.lockedUntilMs())
        .bind("created", user.createdMs())
        .execute();
  }

  @Override
  public void createSignIn(SignIn signIn) {
    handle
        .createUpdate(
            "insert into sign_ins (token_hash, user_name, created_ms, expires_ms)"
                + " values (:hash, :user, :created, :expires)")
        .bind("hash", signIn.tokenHash())
        .bind("user", signIn.user())
        .bind("created", signIn.createdMs())
        .bind("expires", signIn.expiresMs())
        .execute();
  }

  @Override
  public Optional<SignIn> signIn(String tokenHash) {
    return handle
        .createQuery("select * from sign_ins where token_hash = :hash")
        .bind("hash", tokenHash)
        .map((row, _) ->
            new SignIn(
                row.getString("token_hash"),
                row.getString("user_name"),
                row.getLong("created_ms"),
                row.getLong("expires_ms")))
        .findOne();
  }

  @Override
  public void deleteSignIn(String tokenHash) {
    handle
        .createUpdate("delete from sign_ins where token_hash = :hash")
        .bind("hash", tokenHash)
        .execute();
  }

  @Override
  public void deleteSignInsExcept(String user, String tokenHash) {
    handle
        .createUpdate("delete from sign_ins where user_name = :user and token_hash <> :hash")
        .bind("user", user)
        .bind("hash", tokenHash)
        .execute();
  }

  @Override
  public void deleteExpired(long nowMs) {
    handle
        .createUpdate("delete from sign_ins where expires_ms <= :now")
        .bind("now", nowMs)
        .execute();
  }
}
