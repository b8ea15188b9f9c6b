package dev.towline.manager.store.sql;

import com.google.common.collect.Iterables;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Collection;
import java.util.List;
import java.util.function.Consumer;

/** How values that are no plain column types are written. */
final class Columns {
  private static final int LARGEST_GROUP = 500;

  private Columns() {}

  /** Tags as {@code ,a,b,}, so that one can be looked for; a tag holds no comma. */
  static String tags(List<String> tags) {
    return tags.isEmpty() ? "" : "," + String.join(",", tags) + ",";
  }

  static List<String> tags(String column) {
    return column.isEmpty() ? List.of() : List.of(column.substring(1).split(","));
  }

  /** Statements name so many values at most: databases have their limits. */
  static void inGroups(Collection<String> values, Consumer<List<String>> statement) {
    Iterables.partition(values, LARGEST_GROUP).forEach(statement);
  }

  static <M extends MessageLite> M message(ResultSet row, String column, Parser<M> parser)
      throws SQLException {
    try {
      return parser.parseFrom(row.getBytes(column));
    } catch (InvalidProtocolBufferException e) {
      throw new SQLException("column " + column + " holds no valid message", e);
    }
  }
}
