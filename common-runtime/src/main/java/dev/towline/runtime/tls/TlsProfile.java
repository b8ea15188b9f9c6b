package dev.towline.runtime.tls;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Which TLS versions and suites a program speaks (T1, T2). Every profile has TLS 1.3, and that is
 * what is negotiated with whoever has it too: a wider profile never makes a newer peer worse off,
 * and two programs of a fleet understand each other whatever profile each of them has.
 *
 * <p>No profile has TLS 1.0 or 1.1, or key exchange by static RSA.
 */
public enum TlsProfile {
  /** TLS 1.3 only. */
  MODERN("modern", Suites.TLS_1_3, List.of()),

  /** Adds TLS 1.2 with forward secrecy and AES-GCM. */
  STRONG("strong", Suites.TLS_1_3, Suites.GCM),

  /** Adds AES-CBC with SHA-2 to that, for peers that know no GCM. */
  COMPATIBLE("compatible", Suites.TLS_1_3, Suites.GCM_THEN_CBC),

  /**
   * TLS 1.3 with AES-GCM and the TLS 1.2 suites of the FIPS list that have forward secrecy, over
   * NIST's curves and with its signature schemes only. The algorithms are approved ones; the module
   * that computes them is not a validated one.
   */
  FIPS("fips", Suites.TLS_1_3_AES, Suites.GCM_THEN_CBC);

  private static final List<String> NIST_GROUPS = List.of("secp256r1", "secp384r1", "secp521r1");

  private static final List<String> NIST_SCHEMES =
      List.of(
          "ecdsa_secp256r1_sha256",
          "ecdsa_secp384r1_sha384",
          "ecdsa_secp521r1_sha512",
          "rsa_pss_rsae_sha256",
          "rsa_pss_rsae_sha384",
          "rsa_pss_rsae_sha512",
          "rsa_pkcs1_sha256",
          "rsa_pkcs1_sha384",
          "rsa_pkcs1_sha512");

  private final String label;
  private final List<String> newest;
  private final List<String> older;

  TlsProfile(String label, List<String> newest, List<String> older) {
    this.label = label;
    this.newest = newest;
    this.older = older;
  }

  /** As settings name it. */
  public String label() {
    return label;
  }

  public static Optional<TlsProfile> of(String label) {
    return Arrays.stream(values()).filter(profile -> profile.label.equals(label)).findFirst();
  }

  /** Every label, for messages. */
  public static String labels() {
    return Arrays.stream(values()).map(TlsProfile::label).collect(Collectors.joining(", "));
  }

  /** As JDK and OpenSSL name them, newest first. */
  public List<String> protocols() {
    return older.isEmpty() ? List.of("TLSv1.3") : List.of("TLSv1.3", "TLSv1.2");
  }

  /** Of all versions, by their IANA names, best first. */
  public List<String> suites() {
    return Stream.concat(newest.stream(), older.stream()).toList();
  }

  List<String> suites(String protocol) {
    return switch (protocol) {
      case "TLSv1.3" -> newest;
      case "TLSv1.2" -> older;
      default -> List.of();
    };
  }

  /** Whether a listener needs an RSA certificate beside the P-256 one. */
  public boolean wantsRsa() {
    return !older.isEmpty();
  }

  /** Groups for the key exchange; empty when whatever the provider has may be used. */
  public List<String> groups() {
    return this == FIPS ? NIST_GROUPS : List.of();
  }

  /** Signature schemes; empty when whatever the provider has may be used. */
  public List<String> schemes() {
    return this == FIPS ? NIST_SCHEMES : List.of();
  }

  /** BoringSSL has TLS 1.3 as it is; what goes beyond or narrows it is the JDK's. */
  boolean needsJdk() {
    return this != MODERN;
  }

  /** What it takes, in words. */
  public String accepts() {
    return protocols().stream()
        .map(protocol -> protocol + " with " + String.join(", ", suites(protocol)))
        .collect(Collectors.joining("; "));
  }

  @Override
  public String toString() {
    return label;
  }

  private static final class Suites {
    static final List<String> TLS_1_3_AES =
        List.of("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256");
    static final List<String> TLS_1_3 =
        List.of("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256");
    static final List<String> GCM =
        List.of("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    static final List<String> GCM_THEN_CBC =
        List.of(
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256");

    private Suites() {}
  }
}
