package dev.towline.runtime.firewall;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;

/**
 * One line of a chain: what a packet must have, and what becomes of it then.
 *
 * @param terms each must hold
 * @param name of the rule; empty for what is no rule
 */
record NftLine(List<Term> terms, String verdict, String name) {
  NftLine {
    terms = terms.stream().filter(term -> !term.values.isEmpty()).toList();
  }

  /**
   * What is looked at, and the values that hold.
   *
   * @param values none: it is not looked at
   */
  record Term(String key, List<Value> values) {
    Term {
      values = List.copyOf(values);
    }

    static Term ips(String key, List<IpRange> ranges) {
      return new Term(
          key, ranges.stream().map(ip -> new Value(ip.text(), ip.from(), ip.to())).toList());
    }

    static Term ports(String key, List<PortRange> ranges) {
      return new Term(
          key,
          PortRange.merged(ranges).stream()
              .map(port ->
                  new Value(
                      port.text(), BigInteger.valueOf(port.from()), BigInteger.valueOf(port.to())))
              .toList());
    }

    static Term macs(String key, List<String> macs) {
      return new Term(
          key,
          macs.stream()
              .distinct()
              .map(mac -> Value.single(mac, new BigInteger(mac.replace(":", ""), 16)))
              .toList());
    }

    static Term numbers(String key, List<Integer> numbers) {
      return new Term(
          key,
          numbers.stream()
              .distinct()
              .map(number -> Value.single(String.valueOf(number), BigInteger.valueOf(number)))
              .toList());
    }

    private String text() {
      String list = String.join(", ", values.stream().map(Value::text).toList());
      return values.size() == 1 ? key + " " + list + " " : key + " { " + list + " } ";
    }
  }

  /** A value or a range, both ends included. */
  record Value(String text, BigInteger from, BigInteger to) {
    static Value single(String text, BigInteger value) {
      return new Value(text, value, value);
    }

    boolean overlaps(Value other) {
      return from.compareTo(other.to) <= 0 && other.from.compareTo(to) <= 0;
    }
  }

  static NftLine raw(String text) {
    return new NftLine(List.of(), text, "");
  }

  boolean isRule() {
    return !name.isEmpty();
  }

  /** As nft reads it; a term with several values takes a set. */
  String text() {
    return text(terms);
  }

  private String text(List<Term> wanted) {
    var text = new StringBuilder();
    wanted.forEach(term -> text.append(term.text()));
    text.append(verdict);
    if (isRule()) {
      text.append(" comment \"").append(name).append('"');
    }
    return text.toString();
  }

  /** Every combination of values of these terms. */
  static List<List<Value>> combinations(List<Term> terms) {
    List<List<Value>> all = List.of(List.of());
    for (Term term : terms) {
      List<List<Value>> longer = new ArrayList<>();
      for (List<Value> some : all) {
        for (Value value : term.values) {
          List<Value> one = new ArrayList<>(some);
          one.add(value);
          longer.add(one);
        }
      }
      all = longer;
    }
    return all;
  }

  /** Sets that nft makes of it. */
  long sets() {
    return terms.stream().filter(term -> term.values.size() > 1).count();
  }

  long combinationCount() {
    return terms.stream().mapToLong(term -> term.values.size()).reduce(1, Math::multiplyExact);
  }
}
