package dev.towline.manager.install;

import dev.towline.runtime.identity.Role;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a program needs to enroll, as the JSON file it reads.
 *
 * @param settings of the program itself, by role
 */
record EnrollmentFile(
    String fleet,
    Role role,
    String caFingerprint,
    String tokenId,
    List<String> servers,
    Map<String, Object> settings) {
  static final String IMAGE = "image";

  private static final JsonMapper JSON = JsonMapper.builder().build();

  /** Stands where the secret goes; no JSON text of ours holds it otherwise. */
  private static final String PLACE = "\u0001secret\u0001";

  private static final String PLACE_ENCODED = "\\u0001secret\\u0001";

  EnrollmentFile {
    servers = List.copyOf(servers);
    settings = new LinkedHashMap<>(settings);
  }

  /** Whether the host it is installed on is an image, whose clones enroll in its place (I4). */
  boolean image() {
    return Boolean.TRUE.equals(settings.get(IMAGE));
  }

  /** The file on one line. */
  String with(String secret) {
    return head() + secret + tail();
  }

  /** What comes before the secret. */
  String head() {
    String all = withPlace();
    return all.substring(0, all.indexOf(PLACE_ENCODED));
  }

  /** What comes after the secret. */
  String tail() {
    String all = withPlace();
    return all.substring(all.indexOf(PLACE_ENCODED) + PLACE_ENCODED.length());
  }

  private String withPlace() {
    var file = new LinkedHashMap<String, Object>();
    file.put("fleet", fleet);
    file.put("role", role.label());
    file.put("ca-fingerprint", caFingerprint);
    file.put("token-id", tokenId);
    file.put("secret", PLACE);
    file.put("servers", servers);
    file.put("settings", settings);
    return JSON.writeValueAsString(file);
  }
}
