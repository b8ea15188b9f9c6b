package dev.towline.runtime.updates;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * The form of JSON that is signed: no space, members in the order of their names' UTF-8 bytes, only
 * quote and backslash escaped, whole numbers only.
 */
public final class CanonicalJson {
  private CanonicalJson() {}

  /**
   * @throws IllegalArgumentException when something in it has no canonical form
   */
  public static byte[] encode(JsonNode node) {
    var text = new StringBuilder();
    write(node, text);
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static void write(JsonNode node, StringBuilder out) {
    switch (node.getNodeType()) {
      case OBJECT -> {
        List<Map.Entry<String, JsonNode>> members = new ArrayList<>(node.properties());
        members.sort((a, b) ->
            Arrays.compareUnsigned(
                a.getKey().getBytes(StandardCharsets.UTF_8),
                b.getKey().getBytes(StandardCharsets.UTF_8)));
        out.append('{');
        String separator = "";
        for (Map.Entry<String, JsonNode> member : members) {
          out.append(separator);
          write(member.getKey(), out);
          out.append(':');
          write(member.getValue(), out);
          separator = ",";
        }
        out.append('}');
      }
      case ARRAY -> {
        out.append('[');
        for (Iterator<JsonNode> elements = node.iterator(); elements.hasNext(); ) {
          write(elements.next(), out);
          if (elements.hasNext()) {
            out.append(',');
          }
        }
        out.append(']');
      }
      case STRING -> write(node.stringValue(), out);
      case NUMBER -> {
        if (!node.isIntegralNumber()) {
          throw new IllegalArgumentException(
              "number: " + node + " (expected: a whole one, others have no canonical form)");
        }
        out.append(node.bigIntegerValue());
      }
      case BOOLEAN -> out.append(node.booleanValue());
      case NULL -> out.append("null");
      case BINARY, MISSING, POJO ->
          throw new IllegalArgumentException("not JSON: " + node.getNodeType());
    }
  }

  private static void write(String text, StringBuilder out) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\');
      }
      out.append(c);
    }
    out.append('"');
  }
}
