package dev.towline.runtime.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class JsonTreesTest {
  private static final String EVERY_KIND =
      """
      {"text": "a \\"b\\" ü \\n", "whole": 9007199254740993, "part": 0.25, "yes": true, "no": false,
       "nothing": null, "list": [1, [], {}, "x"], "object": {"deep": {"er": []}}}
      """;

  @Test
  void parse_everyKindOfValue_readsWhatAMapperReads() {
    JsonMapper mapper = JsonMapper.builder().build();

    JsonNode tree = JsonTrees.parse(EVERY_KIND);

    assertEquals(mapper.readTree(EVERY_KIND).toString(), tree.toString());
  }

  @Test
  void text_ofEveryKindOfValue_readsAsTheSame() {
    JsonNode tree = JsonTrees.parse(EVERY_KIND);

    String text = JsonTrees.text(tree);

    assertEquals(tree, JsonTrees.parse(text));
    assertTrue(text.endsWith("}\n"), text);
    assertTrue(text.lines().count() > 8, text);
  }

  @Test
  void parse_nothing_isMissing() {
    assertTrue(JsonTrees.parse("").isMissingNode());
  }

  @ParameterizedTest
  @ValueSource(strings = {"{", "[1,", "{\"a\"}", "{} {}", "]", "tru", "{\"a\":1,}", "\"open"})
  void parse_brokenText_fails(String text) {
    assertThrows(JacksonException.class, () -> JsonTrees.parse(text));
  }
}
