package dev.towline.it;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethodCall;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.lang.ArchRule;
import dev.towline.testing.Requirement;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may depend on whom, over the main code of all programs. */
final class ArchitectureTest {
  private static final List<String> PROGRAMS = List.of("manager", "agent", "proxy", "relay", "cli");

  private static JavaClasses main;

  @BeforeAll
  static void importClasses() {
    main =
        new ClassFileImporter()
            .withImportOption(new DoNotIncludeTests())
            .withImportOption(location -> !location.contains("-tests.jar"))
            .importPackages("dev.towline");
  }

  @Test
  void everyModule_isImported() {
    assertThat(main)
        .extracting(c -> c.getPackageName().split("\\.")[2])
        .contains("runtime")
        .containsAll(PROGRAMS);
  }

  @Test
  @Requirement("G2")
  void proto_dependsOnNoOtherModule() {
    check(
        noClasses()
            .that(resideInAPackage("dev.towline.proto.."))
            .should()
            .dependOnClassesThat(ours().and(not(resideInAPackage("dev.towline.proto..")))));
  }

  @Test
  void runtime_dependsOnProtoOnly() {
    check(
        noClasses()
            .that(resideInAPackage("dev.towline.runtime.."))
            .should()
            .dependOnClassesThat(
                ours()
                    .and(not(resideInAnyPackage("dev.towline.proto..", "dev.towline.runtime..")))));
  }

  @ParameterizedTest
  @ValueSource(strings = {"manager", "agent", "proxy", "relay", "cli"})
  void program_seesNoOtherProgram(String program) {
    check(
        noClasses()
            .that(resideInAPackage("dev.towline." + program + ".."))
            .should()
            .dependOnClassesThat(
                ours()
                    .and(
                        not(
                            resideInAnyPackage(
                                "dev.towline.proto..",
                                "dev.towline.runtime..",
                                "dev.towline." + program + "..")))));
  }

  @Test
  void relay_hasNoSpool() {
    check(
        noClasses()
            .that(resideInAPackage("dev.towline.relay.."))
            .should()
            .dependOnClassesThat(resideInAPackage("dev.towline.runtime.spool..")));
  }

  @Test
  void cli_usesOnlyItsShareOfRuntime() {
    check(
        noClasses()
            .that(resideInAPackage("dev.towline.cli.."))
            .should()
            .dependOnClassesThat(
                resideInAPackage("dev.towline.runtime..")
                    .and(
                        not(
                            resideInAnyPackage(
                                "dev.towline.runtime.identity..",
                                "dev.towline.runtime.config..",
                                "dev.towline.runtime.error..",
                                "dev.towline.runtime.program..",
                                "dev.towline.runtime.telemetry..")))));
  }

  /** The package of the main class wires everything and may see edges and stores. */
  @Test
  void managerFeatures_dependOnNeitherEdgesNorStores() {
    var edges = new String[] {"grpc", "rest", "console", "store.sqlite", "store.postgres"};
    String[] packages =
        List.of(edges).stream().map(e -> "dev.towline.manager." + e + "..").toArray(String[]::new);
    check(
        noClasses()
            .that(
                resideInAPackage("dev.towline.manager..")
                    .and(not(resideInAPackage("dev.towline.manager")))
                    .and(not(resideInAnyPackage(packages))))
            .should()
            .dependOnClassesThat(resideInAnyPackage(packages)));
  }

  @Test
  void sql_staysInTheStores() {
    check(
        noClasses()
            .that(ours().and(not(resideInAPackage("dev.towline.manager.store.."))))
            .should()
            .dependOnClassesThat(
                resideInAnyPackage("java.sql..", "javax.sql..", "org.jdbi..", "com.zaxxer..")));
  }

  @Test
  void agent_hasNoTelemetrySdk() {
    check(
        noClasses()
            .that(resideInAPackage("dev.towline.agent.."))
            .should()
            .dependOnClassesThat(resideInAPackage("io.opentelemetry.sdk..")));
  }

  /**
   * Time is a parameter of the programs: only a package called {@code time} asks the system for it,
   * or waits. Where a program is put together it makes a clock and passes it on; what drives real
   * processes has to wait.
   */
  @Test
  void systemTime_isReadInTimePackagesOnly() {
    check(
        noClasses()
            .that(
                ours()
                    .and(not(resideInAPackage("..time..")))
                    .and(
                        not(
                            resideInAnyPackage(
                                "dev.towline.proto..", "dev.towline.bench..", "dev.towline.it.."))))
            .should()
            .callMethodWhere(
                calls(
                    "sleep, Instant.now() or System.currentTimeMillis",
                    call ->
                        is(call, Thread.class, "sleep")
                            || is(call, System.class, "currentTimeMillis")
                            || is(call, Instant.class, "now")
                                && call.getTarget().getRawParameterTypes().isEmpty())));
  }

  private static void check(ArchRule rule) {
    rule.allowEmptyShould(true).check(main);
  }

  private static DescribedPredicate<JavaClass> ours() {
    return resideInAPackage("dev.towline..");
  }

  private static DescribedPredicate<JavaMethodCall> calls(
      String description, Predicate<JavaMethodCall> test) {
    return describe(description, test);
  }

  private static boolean is(JavaMethodCall call, Class<?> owner, String... methods) {
    return call.getTargetOwner().isEquivalentTo(owner) && Set.of(methods).contains(call.getName());
  }
}
