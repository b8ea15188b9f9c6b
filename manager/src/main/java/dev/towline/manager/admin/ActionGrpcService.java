package dev.towline.manager.admin;

import dev.towline.manager.actions.ActionWatch;
import dev.towline.manager.actions.Actions;
import dev.towline.manager.actions.NewAction;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionEvent;
import dev.towline.proto.v1.ActionServiceGrpc;
import dev.towline.proto.v1.CancelActionRequest;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.ListActionsRequest;
import dev.towline.proto.v1.ListActionsResponse;
import dev.towline.proto.v1.RunActionRequest;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Semaphore;

/** Calls run on virtual threads, so a watch may wait for what happens next. */
final class ActionGrpcService extends ActionServiceGrpc.ActionServiceImplBase {
  private static final int USUAL_PAGE = 50;
  private static final int LARGEST_PAGE = 500;

  private final Actions actions;

  ActionGrpcService(Actions actions) {
    this.actions = actions;
  }

  @Override
  public void runAction(RunActionRequest request, StreamObserver<Action> out) {
    Replies.reply(
        out,
        actions.create(
            new NewAction(
                request.getSelector(),
                request.getNoOp(),
                request.getRun(),
                Duration.ofMillis(request.getExpiresInMs()),
                AccessInterceptor.principal().user(),
                request.getIdempotencyKey())));
  }

  @Override
  public void getAction(GetActionRequest request, StreamObserver<Action> out) {
    Replies.reply(out, actions.action(request.getAction()));
  }

  @Override
  public void listActions(ListActionsRequest request, StreamObserver<ListActionsResponse> out) {
    int size =
        Math.clamp(
            request.getPageSize() <= 0 ? USUAL_PAGE : request.getPageSize(), 1, LARGEST_PAGE);
    List<Action> page = actions.list(request.getPageToken(), size);
    Replies.reply(
        out,
        ListActionsResponse.newBuilder()
            .addAllActions(page)
            .setNextPageToken(page.size() < size ? "" : page.getLast().getId())
            .build());
  }

  @Override
  public void cancelAction(CancelActionRequest request, StreamObserver<Action> out) {
    Replies.reply(out, actions.cancel(request.getAction()));
  }

  @Override
  public void watchAction(GetActionRequest request, StreamObserver<ActionEvent> out) {
    var call = (ServerCallStreamObserver<ActionEvent>) out;
    ActionWatch watch = actions.watch(request.getAction());
    var ready = new Semaphore(0);
    call.setOnReadyHandler(ready::release);
    call.setOnCancelHandler(() -> {
      watch.close();
      ready.release();
    });
    Thread.ofVirtual().name("watch-" + request.getAction()).start(() -> follow(watch, call, ready));
  }

  private static void follow(
      ActionWatch watch, ServerCallStreamObserver<ActionEvent> call, Semaphore ready) {
    try (watch) {
      Optional<ActionEvent> event = watch.next();
      while (event.isPresent() && !call.isCancelled()) {
        while (!call.isReady() && !call.isCancelled()) {
          ready.acquire();
        }
        call.onNext(event.get());
        event = watch.next();
      }
      if (!call.isCancelled()) {
        call.onCompleted();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      if (!call.isCancelled()) {
        call.onError(Status.INTERNAL.withDescription("the watch broke").withCause(e).asException());
      }
    }
  }
}
