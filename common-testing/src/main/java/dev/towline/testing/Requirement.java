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
 * <p>Each outcome is written to {@code target/requirements/}, one file per test class, see {@link
 * RequirementReport}.
 */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@Inherited
@ExtendWith(RequirementReport.class)
public @interface Requirement {
  String[] value();
}
