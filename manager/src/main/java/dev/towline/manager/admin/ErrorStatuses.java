package dev.towline.manager.admin;

import com.google.protobuf.Any;
import dev.towline.proto.v1.ErrorInfo;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;

/** The one table from failures to what leaves the admin API. */
final class ErrorStatuses {
  static final ErrorCode INTERNAL_ERROR = ErrorCode.internal("INTERNAL_ERROR");

  private ErrorStatuses() {}

  /** The status with code, kind, message and remedy as details. */
  static StatusRuntimeException of(TowlineException e) {
    return StatusProto.toStatusRuntimeException(
        com.google.rpc.Status.newBuilder()
            .setCode(status(e.code()).value())
            .setMessage(e.getMessage())
            .addDetails(
                Any.pack(
                    ErrorInfo.newBuilder()
                        .setCode(e.code().name())
                        .setKind(e.code().kind().name())
                        .setMessage(e.getMessage())
                        .setRemedy(e.remedy())
                        .build()))
            .build());
  }

  private static Status.Code status(ErrorCode code) {
    return switch (code.kind()) {
      case USER -> userStatus(code.name());
      case EXTERNAL -> Status.Code.UNAVAILABLE;
      case CAPACITY -> Status.Code.RESOURCE_EXHAUSTED;
      case INTERNAL -> Status.Code.INTERNAL;
    };
  }

  private static Status.Code userStatus(String name) {
    if (name.equals("SIGN_IN_FAILED") || name.equals("TOKEN_INVALID")) {
      return Status.Code.UNAUTHENTICATED;
    }
    if (name.equals("ACCOUNT_LOCKED") || name.equals("PERMISSION_DENIED")) {
      return Status.Code.PERMISSION_DENIED;
    }
    if (name.endsWith("_NOT_FOUND")) {
      return Status.Code.NOT_FOUND;
    }
    if (name.endsWith("_EXISTS")) {
      return Status.Code.ALREADY_EXISTS;
    }
    if (name.endsWith("_NOT_EMPTY") || name.endsWith("_FULL")) {
      return Status.Code.FAILED_PRECONDITION;
    }
    return Status.Code.INVALID_ARGUMENT;
  }
}
