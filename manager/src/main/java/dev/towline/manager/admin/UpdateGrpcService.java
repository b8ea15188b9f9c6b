package dev.towline.manager.admin;

import com.google.protobuf.ByteString;
import dev.towline.manager.updates.SourceChecks;
import dev.towline.manager.updates.UpdateReports;
import dev.towline.manager.updates.UpdateRepository;
import dev.towline.manager.updates.UpdateServing;
import dev.towline.manager.updates.Updates;
import dev.towline.proto.v1.CheckSourceRequest;
import dev.towline.proto.v1.CheckSourceResponse;
import dev.towline.proto.v1.DraftRootRequest;
import dev.towline.proto.v1.GetServingRequest;
import dev.towline.proto.v1.GetTreeFileRequest;
import dev.towline.proto.v1.GetTreeFileResponse;
import dev.towline.proto.v1.GetUpdateStatusRequest;
import dev.towline.proto.v1.ListReleasesRequest;
import dev.towline.proto.v1.ListReleasesResponse;
import dev.towline.proto.v1.ListTreeRequest;
import dev.towline.proto.v1.ListTreeResponse;
import dev.towline.proto.v1.ListUploadsRequest;
import dev.towline.proto.v1.ListUploadsResponse;
import dev.towline.proto.v1.PruneReleasesRequest;
import dev.towline.proto.v1.PruneReleasesResponse;
import dev.towline.proto.v1.PublishReleaseRequest;
import dev.towline.proto.v1.PublishRootResponse;
import dev.towline.proto.v1.Release;
import dev.towline.proto.v1.RemoveReleaseRequest;
import dev.towline.proto.v1.RoleExpiry;
import dev.towline.proto.v1.RootDocument;
import dev.towline.proto.v1.SelectReleaseRequest;
import dev.towline.proto.v1.Serving;
import dev.towline.proto.v1.SetServingRequest;
import dev.towline.proto.v1.TreeFile;
import dev.towline.proto.v1.UpdateServiceGrpc;
import dev.towline.proto.v1.UpdateStatus;
import dev.towline.proto.v1.UploadFile;
import dev.towline.proto.v1.UploadPartRequest;
import dev.towline.proto.v1.UploadPartResponse;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.updates.Manifest;
import dev.towline.runtime.updates.UpdateKey;
import dev.towline.runtime.updates.UpdateRefused;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;

final class UpdateGrpcService extends UpdateServiceGrpc.UpdateServiceImplBase {
  private static final int LARGEST_PART = 4 << 20;

  private final UpdateRepository repository;
  private final UpdateServing serving;
  private final UpdateReports reports;
  private final SourceChecks checks;
  private final SecureRandom random;

  UpdateGrpcService(Updates updates, UpdateReports reports, SecureRandom random) {
    this.repository = updates.repository();
    this.serving = updates.serving();
    this.reports = reports;
    this.checks = updates.checks();
    this.random = random;
  }

  @Override
  public void listReleases(ListReleasesRequest request, StreamObserver<ListReleasesResponse> out) {
    var response =
        ListReleasesResponse.newBuilder()
            .setRoot(repository.rootPin())
            .setRootOffline(repository.rootIsOffline());
    repository.releases().forEach(release -> response.addReleases(release(release)));
    repository
        .expiries()
        .forEach((role, expires) ->
            response.addExpiries(
                RoleExpiry.newBuilder()
                    .setRole(role.label())
                    .setExpiresMs(expires.toEpochMilli())));
    Replies.reply(out, response.build());
  }

  @Override
  public void listUploads(ListUploadsRequest request, StreamObserver<ListUploadsResponse> out) {
    List<Manifest.Entry> entries = new ArrayList<>();
    request.getFilesList().forEach(file -> entries.add(entry(file)));
    Replies.reply(
        out, ListUploadsResponse.newBuilder().addAllOffsets(repository.offsets(entries)).build());
  }

  @Override
  public void uploadPart(UploadPartRequest request, StreamObserver<UploadPartResponse> out) {
    ByteBuffer data = request.getData().asReadOnlyByteBuffer();
    if (data.remaining() > LARGEST_PART) {
      throw invalid(
          "part: %d bytes (expected: at most %d)".formatted(data.remaining(), LARGEST_PART));
    }
    Replies.reply(
        out,
        UploadPartResponse.newBuilder()
            .setOffset(repository.upload(entry(request.getFile()), request.getOffset(), data))
            .build());
  }

  @Override
  public void publishRelease(PublishReleaseRequest request, StreamObserver<Release> out) {
    List<Manifest.Entry> entries = new ArrayList<>();
    request.getFilesList().forEach(file -> entries.add(entry(file)));
    Manifest manifest;
    try {
      manifest = new Manifest(request.getComponent(), request.getVersion(), entries);
    } catch (IllegalArgumentException e) {
      throw invalid(String.valueOf(e.getMessage()));
    }
    Replies.reply(
        out,
        release(repository.publish(manifest, !request.getHold(), UpdateRepository.KEPT_VERSIONS)));
  }

  @Override
  public void selectRelease(SelectReleaseRequest request, StreamObserver<Release> out) {
    Replies.reply(out, release(repository.select(request.getComponent(), request.getVersion())));
  }

  @Override
  public void removeRelease(RemoveReleaseRequest request, StreamObserver<Release> out) {
    Replies.reply(out, release(repository.remove(request.getComponent(), request.getVersion())));
  }

  @Override
  public void pruneReleases(
      PruneReleasesRequest request, StreamObserver<PruneReleasesResponse> out) {
    int keep = request.hasKeep() ? request.getKeep() : UpdateRepository.KEPT_VERSIONS;
    if (keep < 0) {
      throw invalid("versions to keep: " + keep + " (expected: 0 or more)");
    }
    Replies.reply(
        out,
        PruneReleasesResponse.newBuilder()
            .addAllRemoved(repository.prune(keep).stream().map(r -> release(r)).toList())
            .build());
  }

  @Override
  public void getUpdateStatus(GetUpdateStatusRequest request, StreamObserver<UpdateStatus> out) {
    Replies.reply(out, reports.status());
  }

  @Override
  public void listTree(ListTreeRequest request, StreamObserver<ListTreeResponse> out) {
    var response = ListTreeResponse.newBuilder();
    repository
        .tree()
        .forEach(file ->
            response.addFiles(
                TreeFile.newBuilder()
                    .setPath(file.path())
                    .setSize(file.size())
                    .setSameAs(file.sameAs())));
    Replies.reply(out, response.build());
  }

  @Override
  public void getTreeFile(GetTreeFileRequest request, StreamObserver<GetTreeFileResponse> out) {
    Replies.reply(
        out,
        GetTreeFileResponse.newBuilder()
            .setData(ByteString.copyFrom(repository.read(request.getPath(), request.getOffset())))
            .build());
  }

  @Override
  public void getServing(GetServingRequest request, StreamObserver<Serving> out) {
    Replies.reply(out, serving(serving.current()));
  }

  @Override
  public void setServing(SetServingRequest request, StreamObserver<Serving> out) {
    Replies.reply(
        out,
        serving(
            serving.change(before -> {
              var after = before;
              if (request.hasPath()) {
                after = after.withPath(request.getPath());
              }
              if (request.hasListing()) {
                after = after.withListing(request.getListing());
              }
              if (request.hasUser()) {
                after = after.withUser(request.getUser(), request.getPassword(), random);
              }
              return after;
            })));
  }

  @Override
  public void draftRoot(DraftRootRequest request, StreamObserver<RootDocument> out) {
    List<UpdateKey> keys = new ArrayList<>();
    for (String text : request.getPublicKeysList()) {
      try {
        keys.add(UpdateKey.ofText(text));
      } catch (UpdateRefused e) {
        throw invalid(e.getMessage());
      }
    }
    Replies.reply(
        out,
        RootDocument.newBuilder()
            .setRoot(
                ByteString.copyFrom(
                    repository.draftRoot(keys, request.getThreshold(), request.getRotate())))
            .build());
  }

  @Override
  public void publishRoot(RootDocument request, StreamObserver<PublishRootResponse> out) {
    Replies.reply(
        out,
        PublishRootResponse.newBuilder()
            .setVersion(repository.publishRoot(request.getRoot().toByteArray()))
            .build());
  }

  @Override
  public void checkSource(CheckSourceRequest request, StreamObserver<CheckSourceResponse> out) {
    Replies.reply(
        out,
        CheckSourceResponse.newBuilder()
            .addAllChecks(checks.check(request.getUrl(), request.getUser(), request.getPassword()))
            .build());
  }

  private static Manifest.Entry entry(UploadFile file) {
    if (!file.getSha256().matches("[0-9a-f]{64}")) {
      throw invalid("SHA-256 of " + file.getPath() + ": not 64 hexadecimal digits");
    }
    try {
      return new Manifest.Entry(
          file.getPath(), file.getSize(), file.getSha256(), file.getExecutable());
    } catch (IllegalArgumentException e) {
      throw invalid(String.valueOf(e.getMessage()));
    }
  }

  private static Release release(dev.towline.runtime.updates.Release release) {
    return Release.newBuilder()
        .setComponent(release.component())
        .setVersion(release.version())
        .setNumber(release.number())
        .setCurrent(release.current())
        .setFiles(release.files())
        .setBytes(release.bytes())
        .build();
  }

  private static Serving serving(dev.towline.manager.updates.Serving serving) {
    return Serving.newBuilder()
        .setPath(serving.path())
        .setListing(serving.listing())
        .setUser(serving.user())
        .build();
  }

  private static TowlineException invalid(String message) {
    return new TowlineException(ErrorCode.user("UPDATE_INVALID"), message, "see docs/updates.md");
  }
}
