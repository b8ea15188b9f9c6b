package dev.towline.cli.error;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.ErrorInfo;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.ErrorKind;
import dev.towline.runtime.error.TowlineException;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Optional;

/** The errors of the command line and what it makes of the manager's. */
public final class Errors {
  public static final ErrorCode USAGE = new ErrorCode("USAGE", ErrorKind.USER);
  public static final ErrorCode NOT_SIGNED_IN = new ErrorCode("NOT_SIGNED_IN", ErrorKind.USER);
  public static final ErrorCode MANAGER_NOT_TRUSTED =
      new ErrorCode("MANAGER_NOT_TRUSTED", ErrorKind.USER);
  public static final ErrorCode MANAGER_UNREACHABLE =
      new ErrorCode("MANAGER_UNREACHABLE", ErrorKind.EXTERNAL);
  public static final ErrorCode FILE_FAILED = new ErrorCode("FILE_FAILED", ErrorKind.EXTERNAL);
  public static final ErrorCode NO_HOST_MATCHES = new ErrorCode("NO_HOST_MATCHES", ErrorKind.USER);
  public static final ErrorCode UNEXPECTED = new ErrorCode("UNEXPECTED", ErrorKind.INTERNAL);

  private Errors() {}

  /** The manager's error with the code and remedy that it sent along. */
  public static TowlineException ofStatus(StatusRuntimeException e, String url) {
    Optional<ErrorInfo> info = info(e);
    if (info.isPresent()) {
      ErrorInfo sent = info.get();
      return new TowlineException(
          new ErrorCode(sent.getCode(), kind(sent.getKind())),
          sent.getMessage(),
          sent.getRemedy(),
          e);
    }
    return switch (e.getStatus().getCode()) {
      case UNAVAILABLE ->
          new TowlineException(
              MANAGER_UNREACHABLE,
              "the manager at " + url + " does not answer: " + rootMessage(e),
              "check that towline-manager runs there and that this address reaches its console"
                  + " port (default 8444)",
              e);
      case UNAUTHENTICATED ->
          new TowlineException(
              NOT_SIGNED_IN,
              "the manager at " + url + " does not accept the stored token",
              "sign in again: towline login " + url,
              e);
      case UNIMPLEMENTED ->
          new TowlineException(
              UNEXPECTED,
              "the manager at " + url + " does not know this request",
              "use the towline command line of the manager's own version",
              e);
      case DEADLINE_EXCEEDED ->
          new TowlineException(
              MANAGER_UNREACHABLE,
              "the manager at " + url + " did not answer in time",
              "try again; if it persists, look at the manager's log",
              e);
      default ->
          new TowlineException(
              UNEXPECTED,
              "the manager answered " + e.getStatus().getCode() + describe(e.getStatus()),
              "look at the manager's log",
              e);
    };
  }

  public static int exitCode(TowlineException e) {
    return switch (e.code().name()) {
      case "USAGE" -> ExitCodes.USAGE;
      case "NOT_SIGNED_IN",
          "MANAGER_NOT_TRUSTED",
          "TOKEN_INVALID",
          "SIGN_IN_FAILED",
          "ACCOUNT_LOCKED",
          "PERMISSION_DENIED" ->
          ExitCodes.REFUSED;
      case "NO_HOST_MATCHES", "NO_HOST_SELECTED" -> ExitCodes.NO_HOST;
      default ->
          e.getCause() instanceof StatusRuntimeException cause
                  && (cause.getStatus().getCode() == Status.Code.UNAUTHENTICATED
                      || cause.getStatus().getCode() == Status.Code.PERMISSION_DENIED)
              ? ExitCodes.REFUSED
              : ExitCodes.FAILED;
    };
  }

  private static Optional<ErrorInfo> info(StatusRuntimeException e) {
    com.google.rpc.Status status = StatusProto.fromThrowable(e);
    if (status == null) {
      return Optional.empty();
    }
    for (Any detail : status.getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        try {
          return Optional.of(detail.unpack(ErrorInfo.class));
        } catch (InvalidProtocolBufferException _) {
          return Optional.empty();
        }
      }
    }
    return Optional.empty();
  }

  private static ErrorKind kind(String name) {
    for (ErrorKind kind : ErrorKind.values()) {
      if (kind.name().equals(name)) {
        return kind;
      }
    }
    return ErrorKind.INTERNAL;
  }

  private static String rootMessage(Throwable e) {
    Throwable root = e;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    String message = root.getMessage();
    return message == null ? root.getClass().getSimpleName() : message;
  }

  private static String describe(Status status) {
    return status.getDescription() == null ? "" : ": " + status.getDescription();
  }
}
