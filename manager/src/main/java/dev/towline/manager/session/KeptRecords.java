package dev.towline.manager.session;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.manager.events.EventRecord;
import dev.towline.manager.events.Events;
import dev.towline.manager.nodes.CertifiedKeys;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.AgentRecord;
import dev.towline.proto.v1.ClientChange;
import dev.towline.proto.v1.Departure;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.ResultPart;
import dev.towline.proto.v1.SealedRecord;
import dev.towline.proto.v1.SecurityEvent;
import dev.towline.proto.v1.SignedRecord;
import dev.towline.proto.v1.SignedResult;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import java.security.PublicKey;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Checks what proxies kept while they had no way to a manager: records that agents sealed and
 * signed, and what the proxies themselves saw. Safe for use by several threads.
 */
public final class KeptRecords {
  private static final String CONTEXT = "towline record v1";
  private static final String FORGED = "record.forged";
  private static final int MOST_PARTS = 64;

  /** Beyond that somebody has to send again. */
  private static final int MOST_PARTS_OF_A_NODE = 512;

  private static final Duration PARTS_KEPT = Duration.ofDays(7);

  private final SessionServices services;
  private final Results results;

  public KeptRecords(SessionServices services) {
    this.services = services;
    this.results = new Results(services);
  }

  /** What a record turned out to be. */
  public sealed interface Checked {
    /**
     * @param work part of a transaction; once or often, the same comes out
     * @param after runs when it is on disk
     */
    record Good(Consumer<Tx> work, Runnable after) implements Checked {}

    /**
     * @param claimed the id of the agent that it names; empty when it names none
     */
    record Forged(String code, String claimed, String why) implements Checked {}

    /** Of one that is no member any more. */
    record Refused(String why) implements Checked {}
  }

  /** Checks a record that an agent made; asks the store. */
  public Checked check(SealedRecord sealed) {
    Optional<String> agent = agentOf(sealed.getAgent());
    if (agent.isEmpty()) {
      return new Checked.Forged(FORGED, "", "a record of '" + sealed.getAgent() + "'");
    }
    String id = agent.get();
    Optional<byte[]> opened = services.fleet().unsealed(sealed);
    if (opened.isEmpty()) {
      return new Checked.Forged(FORGED, id, "a record that is not sealed to this manager");
    }
    List<PublicKey> keys = services.store().read(tx -> CertifiedKeys.of(tx, id));
    if (keys.isEmpty()) {
      return new Checked.Refused("a record of " + sealed.getAgent() + ", which is no member");
    }
    try {
      SignedRecord signed = SignedRecord.parseFrom(opened.get());
      AgentRecord record = AgentRecord.parseFrom(signed.getRecord());
      if (!record.getAgent().equals(sealed.getAgent())) {
        return new Checked.Forged(FORGED, id, "a record of " + record.getAgent());
      }
      if (keys.stream().noneMatch(key -> isSigned(key, signed))) {
        return new Checked.Forged(FORGED, id, "a record that is not signed by its agent");
      }
      return switch (record.getRecordCase()) {
        case RESULT -> result(id, record.getAgent(), record.getResult(), keys);
        case SECURITY_EVENT -> event(id, record.getAgent(), record.getSecurityEvent());
        case DEPARTURE -> departure(id, record.getAgent(), record.getDeparture());
        case PART -> part(id, record.getAgent(), record.getPart(), keys);
        case RECORD_NOT_SET -> new Checked.Refused("a record of a later version");
      };
    } catch (InvalidProtocolBufferException e) {
      return new Checked.Forged(FORGED, id, "a record that can't be read");
    }
  }

  private Optional<String> agentOf(String uri) {
    return NodeIdentity.parse(uri)
        .filter(node -> node.fleet().equals(services.fleet().id()) && node.role() == Role.AGENT)
        .map(NodeIdentity::id);
  }

  private Checked result(String id, String agent, SignedResult signed, List<PublicKey> keys)
      throws InvalidProtocolBufferException {
    DirectiveResult result = DirectiveResult.parseFrom(signed.getResult());
    boolean own = result.getAgent().equals(agent) || result.getAgent().equals(id);
    if (!own || keys.stream().noneMatch(key -> Results.isSignedWith(key, signed))) {
      return new Checked.Forged(
          Results.FORGED,
          id,
          "result of directive " + result.getDirectiveId() + " is not signed by its agent");
    }
    return new Checked.Good(
        tx -> results.save(tx, id, result, signed),
        () -> services.actions().changed(result.getDirectiveId()));
  }

  /** One of several that are a result together; the last one that comes makes it. */
  private Checked part(String id, String agent, ResultPart part, List<PublicKey> keys) {
    if (part.getParts() > MOST_PARTS || part.getNumber() >= part.getParts()) {
      return new Checked.Forged(
          FORGED, id, "part %d of %d of a result".formatted(part.getNumber(), part.getParts()));
    }
    var made = new AtomicReference<Checked.@Nullable Good>();
    return new Checked.Good(
        tx -> {
          long now = services.clock().millis();
          tx.resultParts().prune(id, MOST_PARTS_OF_A_NODE, now - PARTS_KEPT.toMillis());
          tx.resultParts()
              .put(
                  id,
                  part.getEpoch(),
                  part.getRecordSequence(),
                  part.getNumber(),
                  part.getContent().toByteArray(),
                  now);
          List<byte[]> present =
              tx.resultParts().list(id, part.getEpoch(), part.getRecordSequence());
          if (present.size() < part.getParts()) {
            return;
          }
          tx.resultParts().delete(id, part.getEpoch(), part.getRecordSequence());
          Checked whole =
              whole(
                  id,
                  agent,
                  SignedResult.newBuilder()
                      .setResult(
                          present.stream()
                              .map(ByteString::copyFrom)
                              .reduce(ByteString.EMPTY, ByteString::concat))
                      .setSignature(part.getSignature())
                      .build(),
                  keys);
          switch (whole) {
            case Checked.Good good -> {
              good.work().accept(tx);
              made.set(good);
            }
            case Checked.Forged(String code, _, String why) ->
                tx.events().add(services.events().of(code, id, why, Events.MANAGER), "");
            case Checked.Refused _ -> {}
          }
        },
        () -> {
          Checked.Good good = made.get();
          if (good != null) {
            good.after().run();
          }
        });
  }

  private Checked whole(String id, String agent, SignedResult signed, List<PublicKey> keys) {
    try {
      return result(id, agent, signed, keys);
    } catch (InvalidProtocolBufferException e) {
      return new Checked.Forged(FORGED, id, "parts of a result that can't be read");
    }
  }

  private Checked event(String id, String agent, SecurityEvent event) {
    return new Checked.Good(
        tx -> {
          String name = tx.nodes().find(id).map(Node::name).orElse(id);
          SecurityEvents.store(tx, services, id, name, agent, event);
        },
        () -> {});
  }

  private Checked departure(String id, String agent, Departure departure) {
    Presence presence = Departures.presence(departure.getReason());
    var ended =
        new Departures.Ended(id, departure.getGeneration(), presence, departure.getTimeMs(), agent);
    return new Checked.Good(
        tx -> {
          boolean current = services.departures().end(tx, ended);
          tx.events()
              .add(
                  new EventRecord(
                      0,
                      departure.getTimeMs(),
                      "host.said_goodbye",
                      id,
                      "%s at %s, while no manager could hear it%s"
                          .formatted(
                              presence.label(),
                              Instant.ofEpochMilli(departure.getTimeMs()),
                              current ? "" : "; it has been back since"),
                      agent),
                  id + "/departure/" + departure.getGeneration() + "/" + departure.getTimeMs());
        },
        () -> {
          if (!services.registry().isLive(id)) {
            services.heartbeats().ended(id, presence);
          }
          if (presence == Presence.UNINSTALLED) {
            services.departures().uninstalled();
          }
        });
  }

  /** What a proxy saw; history, and nothing that anybody acts on. */
  public Checked change(String proxy, long sequence, ClientChange change) {
    Optional<String> agent = agentOf(change.getAgent());
    if (agent.isEmpty()) {
      return new Checked.Forged(FORGED, "", "a change of '" + change.getAgent() + "'");
    }
    String how =
        change.getCame()
            ? "came from " + change.getSourceAddress()
            : change.getCode().isEmpty() ? "ended its connection" : change.getCode();
    EventRecord event =
        new EventRecord(
            0,
            change.getTimeMs(),
            change.getCame() ? "host.came" : "host.went",
            agent.get(),
            "%s at %s, as seen by a proxy without a way to a manager"
                .formatted(how, Instant.ofEpochMilli(change.getTimeMs())),
            proxy);
    String report = "%s/change/%d/%d".formatted(proxy, sequence, change.getTimeMs());
    return new Checked.Good(tx -> tx.events().add(event, report), () -> {});
  }

  private static boolean isSigned(PublicKey key, SignedRecord signed) {
    return Signatures.verifyP256(
        key, CONTEXT, signed.getRecord().toByteArray(), signed.getSignature().toByteArray());
  }
}
