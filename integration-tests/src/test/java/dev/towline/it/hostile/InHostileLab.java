package dev.towline.it.hostile;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/** Gives the one {@link HostileLab} to tests that ask for it; it ends with the last of them. */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(InHostileLab.Resolver.class)
@interface InHostileLab {

  /** Starts the lab with the first test that needs it. */
  final class Resolver implements ParameterResolver {
    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
      return parameter.getParameter().getType() == HostileLab.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
      return context
          .getRoot()
          .getStore(Namespace.create(HostileLab.class))
          .computeIfAbsent(HostileLab.class, _ -> start(), HostileLab.class);
    }

    private static HostileLab start() {
      try {
        return new HostileLab();
      } catch (Exception e) {
        throw new AssertionError("the hostile lab did not start", e);
      }
    }
  }
}
