package dev.towline.manager.admin;

import io.grpc.stub.StreamObserver;

/** The end of a call that has one answer. */
final class Replies {
  private Replies() {}

  static <T> void reply(StreamObserver<T> out, T answer) {
    out.onNext(answer);
    out.onCompleted();
  }
}
