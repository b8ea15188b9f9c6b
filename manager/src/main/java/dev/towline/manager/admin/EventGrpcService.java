package dev.towline.manager.admin;

import dev.towline.manager.events.EventRecord;
import dev.towline.manager.events.Events;
import dev.towline.manager.nodes.Hosts;
import dev.towline.proto.v1.Event;
import dev.towline.proto.v1.EventServiceGrpc;
import dev.towline.proto.v1.ListEventsRequest;
import dev.towline.proto.v1.ListEventsResponse;
import dev.towline.runtime.error.TowlineException;
import io.grpc.stub.StreamObserver;
import java.util.List;

final class EventGrpcService extends EventServiceGrpc.EventServiceImplBase {
  private static final int USUAL_PAGE = 100;
  private static final int LARGEST_PAGE = 1000;

  private final Events events;

  EventGrpcService(Events events) {
    this.events = events;
  }

  @Override
  public void listEvents(ListEventsRequest request, StreamObserver<ListEventsResponse> out) {
    int size =
        Math.clamp(
            request.getPageSize() <= 0 ? USUAL_PAGE : request.getPageSize(), 1, LARGEST_PAGE);
    List<EventRecord> page =
        events.list(request.getCode(), request.getHost(), before(request.getPageToken()), size);
    Replies.reply(
        out,
        ListEventsResponse.newBuilder()
            .addAllEvents(page.stream().map(EventGrpcService::event).toList())
            .setNextPageToken(page.size() < size ? "" : Long.toString(page.getLast().id()))
            .build());
  }

  static long before(String pageToken) {
    try {
      return pageToken.isEmpty() ? 0 : Long.parseLong(pageToken);
    } catch (NumberFormatException _) {
      throw new TowlineException(
          Hosts.PAGE_TOKEN_INVALID,
          "page token: " + pageToken + " (expected: one that a list gave)",
          "start the list again without a page token");
    }
  }

  private static Event event(EventRecord record) {
    return Event.newBuilder()
        .setId(record.id())
        .setTimeMs(record.timeMs())
        .setCode(record.code())
        .setSubject(record.subject())
        .setDetail(record.detail())
        .setReporter(record.reporter())
        .build();
  }
}
