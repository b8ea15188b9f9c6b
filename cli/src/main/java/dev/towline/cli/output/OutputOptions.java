package dev.towline.cli.output;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import java.io.PrintStream;
import picocli.CommandLine.Option;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** {@code -o}: how a command prints what it got. */
public final class OutputOptions {
  /** The forms a result can take. */
  public enum Format {
    table,
    json,
    yaml
  }

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FORMAT",
      defaultValue = "table",
      description = "table, json or yaml (default: table)")
  private Format format = Format.table;

  public boolean isTable() {
    return format == Format.table;
  }

  /** Prints the message as JSON or YAML; field names as in the REST API. */
  public void print(MessageOrBuilder message, PrintStream out) {
    String json;
    try {
      json = JsonFormat.printer().alwaysPrintFieldsWithNoPresence().print(message);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("failed to print a message as JSON", e);
    }
    if (format == Format.yaml) {
      var tree = JsonMapper.shared().readTree(json);
      out.print(YAMLMapper.builder().build().writeValueAsString(tree));
      out.flush();
    } else {
      out.println(json);
    }
  }
}
