package dev.towline.manager.admin;

import dev.towline.manager.logs.LogQuery;
import dev.towline.manager.logs.Logs;
import dev.towline.manager.logs.StoredLog;
import dev.towline.manager.nodes.Hosts;
import dev.towline.proto.v1.HostLog;
import dev.towline.proto.v1.ListLogsRequest;
import dev.towline.proto.v1.ListLogsResponse;
import dev.towline.proto.v1.LogServiceGrpc;
import io.grpc.stub.StreamObserver;
import java.util.List;

final class LogGrpcService extends LogServiceGrpc.LogServiceImplBase {
  private static final int USUAL_PAGE = 100;
  private static final int LARGEST_PAGE = 1000;

  private final Logs logs;
  private final Hosts hosts;

  LogGrpcService(Logs logs, Hosts hosts) {
    this.logs = logs;
    this.hosts = hosts;
  }

  @Override
  public void listLogs(ListLogsRequest request, StreamObserver<ListLogsResponse> out) {
    int size =
        Math.clamp(
            request.getPageSize() <= 0 ? USUAL_PAGE : request.getPageSize(), 1, LARGEST_PAGE);
    List<StoredLog> page =
        logs.list(
            new LogQuery(
                hosts.host(request.getHost()).id(),
                Logs.level(request.getLevel()),
                request.getSource(),
                request.getSinceMs(),
                request.getCounters(),
                EventGrpcService.before(request.getPageToken()),
                request.getAfterId(),
                size));
    Replies.reply(
        out,
        ListLogsResponse.newBuilder()
            .addAllLogs(page.stream().map(LogGrpcService::log).toList())
            .setNextPageToken(page.size() < size ? "" : Long.toString(page.getLast().id()))
            .build());
  }

  private static HostLog log(StoredLog stored) {
    return HostLog.newBuilder()
        .setId(stored.id())
        .setTimeMs(stored.record().getTimeMs())
        .setReceivedMs(stored.receivedMs())
        .setLevel(stored.record().getLevel())
        .setSource(stored.record().getSource())
        .setMessage(stored.record().getMessage())
        .setCode(stored.record().getCode())
        .putAllCounters(stored.record().getCountersMap())
        .setEpoch(stored.epoch())
        .setSequence(stored.sequence())
        .build();
  }
}
