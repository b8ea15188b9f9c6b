package dev.towline.testing;

import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.platform.commons.support.AnnotationSupport;

/**
 * Writes the requirements of a test behind its name, for instance {@code
 * rotate_everybodyOnline_movesAll() [T3]}, so that every report shows them.
 *
 * <p>Set as the default of all modules in the root's pom.
 */
public final class RequirementNames extends DisplayNameGenerator.Standard {
  @Override
  public String generateDisplayNameForMethod(
      List<Class<?>> enclosing, Class<?> testClass, Method method) {
    String name = super.generateDisplayNameForMethod(enclosing, testClass, method);
    var ids = new TreeSet<String>();
    var annotated = new ArrayList<AnnotatedElement>(enclosing);
    annotated.add(testClass);
    annotated.add(method);
    for (var element : annotated) {
      AnnotationSupport.findAnnotation(element, Requirement.class)
          .ifPresent(requirement -> ids.addAll(List.of(requirement.value())));
    }
    return ids.isEmpty() ? name : name + " " + ids;
  }
}
