package dev.towline.testing;

import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Names the requirements that a test, or every test of a class, shows to be met, such as {@code
 * "R4"}.
 *
 * <p>The reports of Surefire and Failsafe show them behind the test's name ({@link
 * RequirementNames}). Each outcome is written to {@code target/requirements/} too, one file per
 * test class ({@link RequirementReport}).
 */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@Inherited
@ExtendWith(RequirementReport.class)
public @interface Requirement {
  String[] value();
}
