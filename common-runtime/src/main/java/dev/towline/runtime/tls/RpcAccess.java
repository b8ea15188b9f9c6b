package dev.towline.runtime.tls;

import dev.towline.proto.v1.AgentListenerGrpc;
import dev.towline.proto.v1.EnrollmentServiceGrpc;
import dev.towline.proto.v1.RelayServiceGrpc;
import dev.towline.proto.v1.SessionServiceGrpc;
import dev.towline.proto.v1.UplinkServiceGrpc;
import dev.towline.runtime.identity.Role;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/**
 * Which role may call which method: the one table. A method that is not in it is open to nobody;
 * "issued by the fleet" is never enough.
 */
public final class RpcAccess {
  private static final Map<String, Set<Role>> CALLERS =
      Map.of(
          EnrollmentServiceGrpc.getEnrollMethod().getFullMethodName(),
          EnumSet.of(Role.AGENT, Role.PROXY, Role.RELAY),
          SessionServiceGrpc.getOpenMethod().getFullMethodName(),
          EnumSet.of(Role.AGENT, Role.PROXY, Role.RELAY),
          AgentListenerGrpc.getAttachMethod().getFullMethodName(),
          EnumSet.of(Role.MANAGER),
          UplinkServiceGrpc.getOpenMethod().getFullMethodName(),
          EnumSet.of(Role.PROXY),
          RelayServiceGrpc.getHoldMethod().getFullMethodName(),
          EnumSet.of(Role.RELAY),
          RelayServiceGrpc.getCarryMethod().getFullMethodName(),
          EnumSet.of(Role.RELAY));

  private RpcAccess() {}

  /** Roles that may call the method with their certificate. */
  public static Set<Role> callersOf(String fullMethodName) {
    return CALLERS.getOrDefault(fullMethodName, Set.of());
  }

  /** Whether a caller without a certificate is answered. */
  public static boolean isOpenToAnyone(String fullMethodName) {
    return fullMethodName.equals(EnrollmentServiceGrpc.getEnrollMethod().getFullMethodName());
  }

  /** Every method the table knows. */
  public static Set<String> methods() {
    return CALLERS.keySet();
  }
}
