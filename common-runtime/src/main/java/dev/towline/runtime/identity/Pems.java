package dev.towline.runtime.identity;

import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemReader;
import org.bouncycastle.util.io.pem.PemWriter;

/** Keys and certificates as PEM files, written so that a crash leaves the old or the new one. */
public final class Pems {
  private Pems() {}

  public static void writePrivateKey(Path file, PrivateKey key) throws IOException {
    DurableFiles.replace(file, encode(List.of(new PemObject("PRIVATE KEY", key.getEncoded()))));
  }

  /** The DER inside the first PEM block of a file. */
  public static byte[] readDer(Path file) throws IOException {
    List<PemObject> objects = read(file);
    if (objects.isEmpty()) {
      throw new IOException(file + ": no PEM block (expected: one)");
    }
    return objects.getFirst().getContent();
  }

  public static PrivateKey readPrivateKey(Path file) throws IOException {
    try {
      return Keys.parseP256Private(readDer(file));
    } catch (IllegalArgumentException e) {
      throw new IOException(file + ": " + e.getMessage(), e);
    }
  }

  /**
   * @param algorithm of the key: EC or RSA
   */
  static PrivateKey readPrivateKey(Path file, String algorithm) throws IOException {
    try {
      return algorithm.equals("RSA")
          ? Keys.parseRsaPrivate(readDer(file))
          : Keys.parseP256Private(readDer(file));
    } catch (IllegalArgumentException e) {
      throw new IOException(file + ": " + e.getMessage(), e);
    }
  }

  public static void writeCertificates(Path file, List<X509Certificate> certificates)
      throws IOException {
    DurableFiles.replace(file, encodeCertificates(certificates));
  }

  public static byte[] encodeCertificates(List<X509Certificate> certificates) throws IOException {
    List<PemObject> objects = new ArrayList<>();
    for (X509Certificate certificate : certificates) {
      objects.add(new PemObject("CERTIFICATE", Fingerprints.der(certificate)));
    }
    return encode(objects);
  }

  /** A key and the chain that certifies it, in this order. */
  static byte[] encodeKeyAndChain(PrivateKey key, List<X509Certificate> chain) throws IOException {
    List<PemObject> objects = new ArrayList<>();
    objects.add(new PemObject("PRIVATE KEY", key.getEncoded()));
    for (X509Certificate certificate : chain) {
      objects.add(new PemObject("CERTIFICATE", Fingerprints.der(certificate)));
    }
    return encode(objects);
  }

  /** The certificates of a file, whatever else stands in it. */
  public static List<X509Certificate> readCertificates(Path file) throws IOException {
    try {
      return Certificates.parseAll(
          read(file).stream()
              .filter(object -> object.getType().equals("CERTIFICATE"))
              .map(PemObject::getContent)
              .toList());
    } catch (IllegalArgumentException e) {
      throw new IOException(file + ": " + e.getMessage(), e);
    }
  }

  private static List<PemObject> read(Path file) throws IOException {
    List<PemObject> objects = new ArrayList<>();
    try (PemReader reader = new PemReader(new StringReader(Files.readString(file)))) {
      for (PemObject next = reader.readPemObject(); next != null; next = reader.readPemObject()) {
        objects.add(next);
      }
    }
    return objects;
  }

  private static byte[] encode(List<PemObject> objects) throws IOException {
    StringWriter text = new StringWriter();
    try (PemWriter writer = new PemWriter(text)) {
      for (PemObject object : objects) {
        writer.writeObject(object);
      }
    }
    return text.toString().getBytes(StandardCharsets.US_ASCII);
  }
}
