package dev.towline.agent.firewall;

import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.firewall.FirewallDocument;
import dev.towline.runtime.firewall.FirewallRules;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings rules into force and takes them back (F4, F6). It touches the tables named {@code towline}
 * only, each change in one transaction, with a guard outside this process that takes it back unless
 * it is confirmed.
 *
 * <p>Lifecycle: {@link #recover} first. Threading: one thread changes, see {@link FirewallHandler};
 * {@link #state} may be asked by any. Failure: an exception leaves what was in force before, at the
 * latest when the guard's time is over.
 */
final class FirewallEngine {
  private static final Logger log = LoggerFactory.getLogger(FirewallEngine.class);

  /** A manager that has to dial does so every 15 s at least. */
  private static final Duration REACH = Duration.ofSeconds(30);

  private static final Duration MARGIN = Duration.ofSeconds(2);
  private static final Duration BETWEEN_TRIES = Duration.ofSeconds(1);

  private final FirewallFiles files;
  private final HostCommands commands;
  private final Guard guard;
  private final Path root;
  private final InstantSource clock;
  private final Pause pause;
  private final Confirmation confirmation;
  private final Reports reports;

  private @Nullable Filter filter;

  /** What our tables look like when nobody touched them; empty: the firewall is off. */
  private String expected = "";

  /** Rules were set on this host at some time. */
  private boolean inUse;

  private int listening;

  /** A port that is open besides, for as long as a direction is tried; 0: none. */
  private int opened;

  private volatile State state = new State(false, "", 0, 0, "");

  /** Another connection to the manager. */
  interface Confirmation {
    /**
     * @return empty when a heartbeat went there and back on it; else why not
     */
    Optional<String> connect(Duration limit) throws InterruptedException;
  }

  /** Lets time pass. */
  interface Pause {
    void of(Duration time) throws InterruptedException;
  }

  /** Tells the manager, however long that takes. */
  interface Reports {
    void event(String code, String detail);
  }

  /**
   * What the heartbeat tells.
   *
   * @param reapplied how often others had removed or changed our tables
   */
  record State(boolean on, String id, int rules, long reapplied, String note) {}

  /** How a change ended. */
  sealed interface Change {
    record Confirmed(String note) implements Change {}

    /** The manager could be reached without the rules, and not with them. */
    record RolledBack(String reason) implements Change {}

    /** The manager could not be reached with the rules, nor without: nothing is known of them. */
    record NoManager(String reason) implements Change {}

    record Refused(String reason) implements Change {}
  }

  FirewallEngine(
      FirewallFiles files,
      HostCommands commands,
      Path root,
      InstantSource clock,
      Pause pause,
      Confirmation confirmation,
      Reports reports) {
    this.files = files;
    this.commands = commands;
    this.guard = new Guard(files, commands, root);
    this.root = root;
    this.clock = clock;
    this.pause = pause;
    this.confirmation = confirmation;
    this.reports = reports;
  }

  State state() {
    return state;
  }

  /** Takes back what an earlier run of the agent left unconfirmed, and loads what was confirmed. */
  void recover() throws IOException, InterruptedException {
    if (!files.exist()) {
      return;
    }
    files.create();
    inUse = true;
    for (String id : files.pending()) {
      guard.revert(id, "the agent restarted before it was confirmed");
    }
    reportReverted();
    Optional<String> confirmed = files.confirmed();
    if (confirmed.isEmpty()) {
      return;
    }
    HostCommands.Ended loaded = load(files.apply(confirmed.get()));
    if (!loaded.ok()) {
      // Tried again with every look.
      expected = "not loaded";
      state = new State(false, confirmed.get(), 0, 0, "");
      note("the confirmed rules can't be loaded: " + loaded.err());
      reports.event("firewall.failed", loaded.err());
      return;
    }
    inForce(confirmed.get(), files.rules(confirmed.get()));
  }

  /** Takes our tables away; what others have is as before. */
  Change off() throws IOException, InterruptedException {
    if (!inUse) {
      return new Change.Confirmed("the firewall is off, as before");
    }
    ForeignRules before = ForeignRules.read(commands, root);
    files.forget();
    HostCommands.Ended ended = load(filter().text(Optional.empty(), Optional.empty()));
    if (!ended.ok()) {
      return new Change.Refused("the rules can't be taken away: " + ended.err());
    }
    expected = "";
    state = new State(false, "", 0, state.reapplied(), "");
    return new Change.Confirmed("the firewall is off" + changedBy(before));
  }

  /** Puts a rule set in the place of the present one. */
  Change set(String id, String document, Duration limit) throws IOException, InterruptedException {
    FirewallRules rules;
    try {
      rules = FirewallDocument.parse(document, listening);
    } catch (TowlineException e) {
      return new Change.Refused(String.valueOf(e.getMessage()));
    }
    Filter filter = filter();
    Optional<String> refusal = filter.refuses(rules);
    if (refusal.isPresent()) {
      return new Change.Refused(refusal.get());
    }
    files.create();
    inUse = true;
    ForeignRules before = ForeignRules.read(commands, root);
    files.snapshot(clock.instant().toString(), before);
    String apply = filter.text(Optional.of(rules), Optional.empty());
    files.off(filter.kind(), filter.text(Optional.empty(), Optional.of(rules)));
    String revert = filter.text(rules(), Optional.of(rules));
    files.saveSet(id, filter.kind(), document, listening, apply, revert);
    files.pend(id);
    try {
      guard.arm(id, limit);
    } catch (IOException e) {
      files.reject(id);
      return new Change.Refused(e.getMessage() + "; rules are not changed without it");
    }
    // Later than the guard's, which decides all the same.
    Instant deadline = clock.instant().plus(limit);
    HostCommands.Ended applied = load(apply);
    if (!applied.ok()) {
      // Half of them may be there where each family is a transaction of its own.
      guard.revert(id, "it could not be loaded");
      var _ = files.takeReverted();
      return new Change.Refused("these rules can't be loaded: " + applied.err());
    }
    String changed = changedBy(before);
    String problem = connected(deadline);
    if (problem.isEmpty() && files.confirm(id)) {
      inForce(id, rules);
      return new Change.Confirmed(
          "%d rules in force, confirmed over a new connection to the manager"
                  .formatted(rules.rules().size())
              + changed);
    }
    return takenBack(id, problem, limit);
  }

  /** Puts our tables back when somebody removed or changed them; nothing else. */
  void look() throws IOException, InterruptedException {
    if (!inUse) {
      return;
    }
    reportReverted();
    if (expected.isEmpty() || filter().own().equals(expected)) {
      return;
    }
    String id = state.id();
    HostCommands.Ended loaded = load(files.apply(id));
    if (!loaded.ok()) {
      note("somebody removed the rules, and they can't be put back: " + loaded.err());
      return;
    }
    boolean wasOn = state.on();
    inForce(id, files.rules(id));
    if (!wasOn) {
      return;
    }
    String note =
        "at %s somebody had removed or changed Towline's rules; they are back"
            .formatted(clock.instant());
    state = new State(true, id, state.rules(), state.reapplied() + 1, note);
    log.warn("firewall: {}", note);
    reports.event("firewall.reapplied", note);
  }

  /** Where the agent listens, for rules that are set from now on; 0: nowhere. */
  void listening(int port) {
    listening = port;
  }

  /**
   * Lets a port be reached besides what the rules let pass, until rules are set or it is called
   * with 0. It only opens, so it needs no confirmation.
   */
  void opens(int port) throws IOException, InterruptedException {
    Optional<FirewallRules> rules = rules();
    if (rules.isEmpty() || !state.on()) {
      return;
    }
    FirewallRules wanted = port == 0 ? rules.get() : rules.get().alsoOpen(port);
    int besides = wanted.equals(rules.get()) ? 0 : port;
    if (opened == besides) {
      return;
    }
    opened = besides;
    HostCommands.Ended loaded = load(filter().text(Optional.of(wanted), Optional.empty()));
    if (!loaded.ok()) {
      log.warn("firewall: port {} can't be opened for a while: {}", port, loaded.err());
    }
    expected = filter().own();
  }

  /** The rules in force, when they are for another port than the one where the agent listens. */
  Optional<String> outdated() throws IOException {
    Optional<String> confirmed = files.confirmed();
    if (confirmed.isEmpty()) {
      return Optional.empty();
    }
    String document = files.document(confirmed.get());
    FirewallRules now = FirewallDocument.parse(document, listening);
    return now.equals(files.rules(confirmed.get())) ? Optional.empty() : Optional.of(document);
  }

  /** Id of the set that is in force; empty when it is off. */
  Optional<String> confirmed() throws IOException {
    return files.confirmed();
  }

  /** The set cut the host off from its manager before. */
  boolean isKnownBad(String id) throws IOException {
    return files.bad().equals(id);
  }

  void noteBad(String id) throws IOException {
    files.noteBad(id);
  }

  /** Rules that nobody waits for can't be brought into force. */
  void refused(String why) {
    note("refused: " + why);
    reports.event("firewall.refused", why);
  }

  /** The rules in force; empty when it is off. */
  Optional<FirewallRules> rules() throws IOException {
    Optional<String> confirmed = files.confirmed();
    return confirmed.isEmpty() ? Optional.empty() : Optional.of(files.rules(confirmed.get()));
  }

  private Change takenBack(String id, String problem, Duration limit)
      throws IOException, InterruptedException {
    guard.revert(id, "no new connection to the manager within " + limit.toSeconds() + " s");
    // The guard may have been first, and be about to load.
    expectAgain();
    var _ = files.takeReverted();
    String why =
        "no new connection to the manager came about within %d s while the rules were in force (%s)"
            .formatted(limit.toSeconds(), problem);
    Optional<String> without = confirmation.connect(REACH);
    if (without.isPresent()) {
      note("rules wait for the manager, which does not answer");
      return new Change.NoManager(why + ", nor after they were taken back: " + without.get());
    }
    String reason = why + "; after they were taken back one did";
    note("rolled back: " + reason);
    reports.event("firewall.rolled_back", reason);
    return new Change.RolledBack(reason);
  }

  /** Empty when another connection to the manager came about in time. */
  private String connected(Instant deadline) throws InterruptedException {
    String problem = "no time was left";
    while (true) {
      Duration left = Duration.between(clock.instant(), deadline).minus(MARGIN);
      if (left.isNegative()) {
        return problem;
      }
      Optional<String> failed = confirmation.connect(left);
      if (failed.isEmpty()) {
        return "";
      }
      problem = failed.get();
      pause.of(BETWEEN_TRIES);
    }
  }

  private void inForce(String id, FirewallRules rules) throws IOException, InterruptedException {
    opened = 0;
    expected = filter().own();
    state = new State(true, id, rules.rules().size(), state.reapplied(), "");
  }

  private void expectAgain() throws IOException, InterruptedException {
    Optional<FirewallRules> rules = rules();
    if (rules.isEmpty()) {
      expected = "";
      state = new State(false, "", 0, state.reapplied(), state.note());
    } else {
      // What the guard loads is the confirmed set: loading it again changes nothing.
      String id = files.confirmed().orElseThrow();
      var _ = load(files.apply(id));
      inForce(id, rules.get());
    }
  }

  private void reportReverted() throws IOException {
    for (FirewallFiles.Reverted reverted : files.takeReverted()) {
      note("rolled back: " + reverted.reason());
      reports.event("firewall.rolled_back", "set " + reverted.id() + ": " + reverted.reason());
    }
  }

  private void note(String note) {
    log.warn("firewall: {}", note);
    state = new State(state.on(), state.id(), state.rules(), state.reapplied(), note);
  }

  private String changedBy(ForeignRules before) throws IOException, InterruptedException {
    List<String> different = ForeignRules.read(commands, root).differences(before);
    if (different.isEmpty()) {
      return "";
    }
    String note =
        "; meanwhile somebody else changed " + String.join(", ", different) + ", not Towline";
    reports.event("firewall.foreign_changed", note.substring(2));
    return note;
  }

  private HostCommands.Ended load(String text) throws IOException, InterruptedException {
    return commands.run(text, filter().kind().loader());
  }

  /** Asked for when it is needed first: a host whose firewall is off needs no such program. */
  private Filter filter() throws IOException, InterruptedException {
    if (filter == null) {
      filter = Filter.of(commands, root);
    }
    return filter;
  }
}
