package dev.towline.runtime.firewall;

import dev.towline.runtime.firewall.NftLine.Term;
import dev.towline.runtime.firewall.NftLine.Value;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Many lines as few: neighbours that look at the same things and decide alike become one that looks
 * the combination of them up in one set. Sets of single lines would do the same, but the kernel
 * takes a second for two thousand of them, and asks line by line.
 */
final class ManyLines {
  /** A line with more combinations of values stays as it is. */
  private static final int MOST_COMBINATIONS = 32;

  /** The kernel takes no combinations in one set that overlap; these go to another one. */
  private static final int MOST_SETS = 8;

  private ManyLines() {}

  static List<NftLine> of(List<NftLine> lines) {
    List<NftLine> fewer = new ArrayList<>();
    List<NftLine> alike = new ArrayList<>();
    for (NftLine line : lines) {
      boolean joins =
          line.isRule() && (line.verdict().equals("accept") || line.verdict().equals("drop"));
      if (!alike.isEmpty() && !(joins && alike.getFirst().verdict().equals(line.verdict()))) {
        flush(alike, fewer);
      }
      (joins ? alike : fewer).add(line);
    }
    flush(alike, fewer);
    return fewer;
  }

  private static void flush(List<NftLine> alike, List<NftLine> fewer) {
    Map<List<String>, List<NftLine>> shapes = new LinkedHashMap<>();
    for (NftLine line : alike) {
      if (line.terms().size() < 2 || line.combinationCount() > MOST_COMBINATIONS) {
        fewer.add(line);
      } else {
        shapes
            .computeIfAbsent(line.terms().stream().map(Term::key).toList(), _ -> new ArrayList<>())
            .add(line);
      }
    }
    shapes.values().forEach(same -> fewer.addAll(same.size() == 1 ? same : joined(same)));
    alike.clear();
  }

  /** Lines with the same keys in the same order. */
  private static List<NftLine> joined(List<NftLine> lines) {
    NftLine first = lines.getFirst();
    List<Integer> varying =
        IntStream.range(0, first.terms().size())
            .filter(i ->
                first.terms().get(i).values().size() > 1
                    || lines.stream()
                        .anyMatch(line -> !line.terms().get(i).equals(first.terms().get(i))))
            .boxed()
            .toList();
    List<Term> fixed =
        IntStream.range(0, first.terms().size())
            .filter(i -> !varying.contains(i))
            .mapToObj(first.terms()::get)
            .toList();
    List<String> keys = varying.stream().map(i -> first.terms().get(i).key()).toList();
    Set<List<Value>> elements = new LinkedHashSet<>();
    for (NftLine line : lines) {
      elements.addAll(NftLine.combinations(varying.stream().map(line.terms()::get).toList()));
    }
    List<NftLine> joined = new ArrayList<>();
    for (List<List<Value>> set : apart(List.copyOf(elements))) {
      List<Term> terms = new ArrayList<>(fixed);
      if (set.size() == 1) {
        IntStream.range(0, keys.size())
            .forEach(i -> terms.add(new Term(keys.get(i), List.of(set.getFirst().get(i)))));
      } else {
        terms.add(
            new Term(String.join(" . ", keys), set.stream().map(ManyLines::element).toList()));
      }
      joined.add(new NftLine(terms, first.verdict(), JoinedRules.more(first.name())));
    }
    return joined;
  }

  private static Value element(List<Value> values) {
    var text = new StringBuilder();
    for (Value value : values) {
      text.append(text.isEmpty() ? "" : " . ").append(value.text());
    }
    return new Value(text.toString(), BigInteger.ZERO, BigInteger.ZERO);
  }

  /** Sets without overlaps; what does not fit in a few of them has one each. */
  private static List<List<List<Value>>> apart(List<List<Value>> elements) {
    List<List<List<Value>>> sets = new ArrayList<>();
    int by = mostDifferent(elements);
    List<List<Value>> left =
        elements.stream().sorted(Comparator.comparing(element -> element.get(by).from())).toList();
    while (!left.isEmpty() && sets.size() < MOST_SETS) {
      List<List<Value>> taken = new ArrayList<>();
      List<List<Value>> later = new ArrayList<>();
      // Those taken that go on to where the present one begins.
      var open =
          new PriorityQueue<List<Value>>(Comparator.comparing(element -> element.get(by).to()));
      for (List<Value> element : left) {
        while (!open.isEmpty()
            && open.element().get(by).to().compareTo(element.get(by).from()) < 0) {
          open.remove();
        }
        boolean free = true;
        for (List<Value> other : open) {
          free &= !overlap(other, element);
        }
        if (free) {
          taken.add(element);
          open.add(element);
        } else {
          later.add(element);
        }
      }
      sets.add(taken);
      left = later;
    }
    left.forEach(element -> sets.add(List.of(element)));
    return sets;
  }

  /** The fewer of them begin alike, the fewer have to be compared. */
  private static int mostDifferent(List<List<Value>> elements) {
    return IntStream.range(0, elements.getFirst().size())
        .boxed()
        .max(
            Comparator.comparingLong(
                i -> elements.stream().map(element -> element.get(i)).distinct().count()))
        .orElse(0);
  }

  private static boolean overlap(List<Value> one, List<Value> other) {
    for (int i = 0; i < one.size(); i++) {
      if (!one.get(i).overlaps(other.get(i))) {
        return false;
      }
    }
    return true;
  }
}
