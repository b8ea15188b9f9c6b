package dev.towline.manager.store.sql;

import dev.towline.manager.install.ScriptStore;
import java.util.Optional;
import org.jdbi.v3.core.Handle;

/** {@link ScriptStore} over the table install_scripts. */
final class SqlScriptStore implements ScriptStore {
  private final Handle handle;

  SqlScriptStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public void save(String token, String script) {
    handle
        .createUpdate("insert into install_scripts (token, script) values (:token, :script)")
        .bind("token", token)
        .bind("script", script)
        .execute();
  }

  @Override
  public Optional<String> find(String token) {
    return handle
        .createQuery("select script from install_scripts where token = :token")
        .bind("token", token)
        .mapTo(String.class)
        .findOne();
  }
}
