package dev.towline.runtime.error;

/**
 * Stable name of a failure, for instance {@code HOST_NOT_FOUND}. Constants live with the feature
 * that raises them.
 */
public record ErrorCode(String name, ErrorKind kind) {

  public static ErrorCode user(String name) {
    return new ErrorCode(name, ErrorKind.USER);
  }

  public static ErrorCode external(String name) {
    return new ErrorCode(name, ErrorKind.EXTERNAL);
  }

  public static ErrorCode capacity(String name) {
    return new ErrorCode(name, ErrorKind.CAPACITY);
  }

  public static ErrorCode internal(String name) {
    return new ErrorCode(name, ErrorKind.INTERNAL);
  }
}
