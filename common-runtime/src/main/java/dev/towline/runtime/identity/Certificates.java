package dev.towline.runtime.identity;

import java.io.ByteArrayInputStream;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/** Certificates to and from DER. */
public final class Certificates {
  private Certificates() {}

  /**
   * @throws IllegalArgumentException when the bytes are no X.509 certificate
   */
  public static X509Certificate parse(byte[] der) {
    try {
      return (X509Certificate)
          CertificateFactory.getInstance("X.509")
              .generateCertificate(new ByteArrayInputStream(der));
    } catch (CertificateException e) {
      throw new IllegalArgumentException("not an X.509 certificate", e);
    }
  }

  /**
   * @throws IllegalArgumentException when one of them is no X.509 certificate
   */
  public static List<X509Certificate> parseAll(Collection<byte[]> ders) {
    List<X509Certificate> certificates = new ArrayList<>(ders.size());
    for (byte[] der : ders) {
      certificates.add(parse(der));
    }
    return List.copyOf(certificates);
  }

  /**
   * @throws IllegalArgumentException when one of them is no X.509 certificate
   */
  public static List<X509Certificate> fromProto(Collection<com.google.protobuf.ByteString> ders) {
    return parseAll(ders.stream().map(com.google.protobuf.ByteString::toByteArray).toList());
  }

  /** Like {@link #fromProto}; empty when one of them is no X.509 certificate. */
  public static Optional<List<X509Certificate>> readable(
      Collection<com.google.protobuf.ByteString> ders) {
    try {
      return Optional.of(fromProto(ders));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  public static List<com.google.protobuf.ByteString> toProto(List<X509Certificate> certificates) {
    return certificates.stream()
        .map(c -> com.google.protobuf.ByteString.copyFrom(Fingerprints.der(c)))
        .toList();
  }
}
