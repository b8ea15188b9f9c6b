package dev.towline.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

@Requirement("BUILD-1")
@TestMethodOrder(OrderAnnotation.class)
final class RequirementReportTest {
  @Test
  @Order(1)
  @Requirement("BUILD-2")
  void annotatedTest_passes() {}

  @Test
  @Order(2)
  void report_listsClassAndMethodRequirements() throws Exception {
    assertThat(Files.readString(Path.of("target/requirements", getClass().getName() + ".tsv")))
        .contains(
            "BUILD-1\tpassed\t"
                + getClass().getName()
                + "\tannotatedTest_passes() [BUILD-1, BUILD-2]\n")
        .contains(
            "BUILD-2\tpassed\t"
                + getClass().getName()
                + "\tannotatedTest_passes() [BUILD-1, BUILD-2]\n");
  }
}
