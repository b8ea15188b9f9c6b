package dev.towline.runtime.updates;

import dev.towline.runtime.json.JsonTrees;
import dev.towline.runtime.updates.UpdateRefused.Reason;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/** Reads what metadata must have, and says what is wrong with it. Nothing is guessed. */
final class MetadataJson {
  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");

  private MetadataJson() {}

  static JsonNode parse(byte[] bytes, String what) throws UpdateRefused {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      JsonNode root = JsonTrees.parseStrictly(text);
      if (!root.isObject()) {
        throw malformed(what, "no object");
      }
      return root;
    } catch (JacksonException | CharacterCodingException _) {
      // Their messages quote what was sent.
      throw malformed(what, "no JSON, or a name twice in one object");
    }
  }

  static JsonNode object(JsonNode parent, String name, String what) throws UpdateRefused {
    JsonNode node = parent.path(name);
    if (!node.isObject()) {
      throw malformed(what, "no object " + name);
    }
    return node;
  }

  static JsonNode array(JsonNode parent, String name, String what) throws UpdateRefused {
    JsonNode node = parent.path(name);
    if (!node.isArray()) {
      throw malformed(what, "no list " + name);
    }
    return node;
  }

  static String text(JsonNode parent, String name, String what) throws UpdateRefused {
    return text(parent.path(name), what + ": " + name);
  }

  static String text(JsonNode node, String what) throws UpdateRefused {
    if (!node.isString()) {
      throw malformed(what, "no text");
    }
    return node.stringValue();
  }

  /** A whole number from the least on. */
  static long number(JsonNode parent, String name, long least, String what) throws UpdateRefused {
    JsonNode node = parent.path(name);
    if (!node.isIntegralNumber() || !node.canConvertToLong() || node.longValue() < least) {
      throw malformed(what, "%s is no whole number from %d on".formatted(name, least));
    }
    return node.longValue();
  }

  static boolean flag(JsonNode parent, String name, String what) throws UpdateRefused {
    JsonNode node = parent.path(name);
    if (!node.isBoolean()) {
      throw malformed(what, name + " is neither true nor false");
    }
    return node.booleanValue();
  }

  static Instant time(JsonNode parent, String name, String what) throws UpdateRefused {
    String text = text(parent, name, what);
    try {
      return Instant.parse(text);
    } catch (DateTimeParseException _) {
      throw malformed(what, name + " is no time");
    }
  }

  static String time(Instant instant) {
    return instant.truncatedTo(ChronoUnit.SECONDS).toString();
  }

  static String sha256(JsonNode parent, String what) throws UpdateRefused {
    String hash = text(object(parent, "hashes", what), "sha256", what);
    return sha256(hash, what);
  }

  static String sha256(String hash, String what) throws UpdateRefused {
    if (!SHA256.matcher(hash).matches()) {
      throw malformed(what, "no SHA-256 in lower-case hexadecimal");
    }
    return hash;
  }

  static UpdateRefused malformed(String what, String problem) {
    return new UpdateRefused(Reason.MALFORMED, what + ": " + problem);
  }
}
