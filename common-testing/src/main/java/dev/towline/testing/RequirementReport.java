package dev.towline.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestWatcher;
import org.junit.platform.commons.support.AnnotationSupport;

/**
 * Writes which requirements were tested and how it went.
 *
 * <p>One line per requirement and test in {@code target/requirements/<test class>.tsv}: id,
 * outcome, class, test. A report entry {@code requirement=<id>} is published for tools that listen
 * to JUnit.
 */
final class RequirementReport implements BeforeEachCallback, TestWatcher {
  private static final Path DIRECTORY =
      Path.of(System.getProperty("towline.requirements", "target/requirements"));

  @Override
  public void beforeEach(ExtensionContext context) {
    requirements(context).forEach(id -> context.publishReportEntry("requirement", id));
  }

  @Override
  public void testSuccessful(ExtensionContext context) {
    write(context, "passed");
  }

  @Override
  public void testFailed(ExtensionContext context, @Nullable Throwable cause) {
    write(context, "failed");
  }

  @Override
  public void testAborted(ExtensionContext context, @Nullable Throwable cause) {
    write(context, "aborted");
  }

  @Override
  public void testDisabled(ExtensionContext context, Optional<String> reason) {
    write(context, "disabled");
  }

  private static void write(ExtensionContext context, String outcome) {
    String testClass = context.getRequiredTestClass().getName();
    List<String> lines =
        requirements(context).stream()
            .map(id -> String.join("\t", id, outcome, testClass, context.getDisplayName()))
            .toList();
    try {
      Files.createDirectories(DIRECTORY);
      Files.write(
          DIRECTORY.resolve(testClass + ".tsv"),
          lines,
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException("failed to write the requirements of " + testClass, e);
    }
  }

  /** Those of the test itself, its class and the classes around it, sorted. */
  private static Set<String> requirements(ExtensionContext context) {
    var ids = new TreeSet<String>();
    for (Optional<ExtensionContext> c = Optional.of(context);
        c.isPresent();
        c = c.get().getParent()) {
      c.get()
          .getElement()
          .flatMap(element -> AnnotationSupport.findAnnotation(element, Requirement.class))
          .ifPresent(requirement -> ids.addAll(List.of(requirement.value())));
    }
    return ids;
  }
}
