package dev.towline.manager.store.sql;

import java.util.Map;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;

/** Brings a database to this version's schema. */
public final class Migrations {
  private Migrations() {}

  /**
   * @param placeholders the few words that differ between databases
   */
  public static void run(DataSource database, Map<String, String> placeholders) {
    Flyway.configure()
        .dataSource(database)
        .locations("classpath:db/migration")
        .placeholders(placeholders)
        .load()
        .migrate();
  }
}
