package dev.towline.manager.rest;

import com.google.api.AnnotationsProto;
import com.google.api.HttpRule;
import com.google.protobuf.Any;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.towline.proto.v1.ErrorInfo;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoMethodDescriptorSupplier;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * JSON over HTTP for the methods that carry an HTTP annotation, through the admin API's channel, so
 * that the same rules hold as for gRPC. Unknown fields and wrong types are refused. Safe for use by
 * several threads.
 */
final class Transcoder {
  private static final Pattern VARIABLE = Pattern.compile("\\{([a-z_]+)}");
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final long CALL_SECONDS = 60;

  private final Channel channel;
  private final List<Route> routes = new ArrayList<>();

  Transcoder(Channel channel, List<ServerServiceDefinition> services) {
    this.channel = channel;
    for (ServerServiceDefinition service : services) {
      for (ServerMethodDefinition<?, ?> method : service.getMethods()) {
        route(method.getMethodDescriptor()).ifPresent(routes::add);
      }
    }
  }

  /** What goes back: an HTTP status and JSON. */
  record Answer(int status, String json) {}

  /**
   * @param path as it was sent, still percent-encoded
   * @param authorization the header's value, empty when there was none
   */
  Answer answer(
      String verb,
      String path,
      Map<String, List<String>> query,
      String body,
      String authorization) {
    boolean pathKnown = false;
    for (Route route : routes) {
      Matcher matcher = route.path().matcher(path);
      if (matcher.matches()) {
        pathKnown = true;
        if (route.verb().equals(verb)) {
          return call(route, matcher, query, body, authorization);
        }
      }
    }
    return pathKnown
        ? error(405, "METHOD_NOT_ALLOWED", verb + " is not possible on " + path, "")
        : error(404, "PATH_NOT_FOUND", "nothing is at " + path, "see docs/rest.md");
  }

  private record Route(
      String verb,
      Pattern path,
      List<String> variables,
      boolean hasBody,
      MethodDescriptor<Message, Message> method) {}

  private Answer call(
      Route route,
      Matcher matcher,
      Map<String, List<String>> query,
      String body,
      String authorization) {
    Message.Builder request = prototype(route.method()).newBuilderForType();
    try {
      if (route.hasBody() && !body.isBlank()) {
        JsonFormat.parser().merge(body, request);
      }
      for (Map.Entry<String, List<String>> parameter : query.entrySet()) {
        for (String value : parameter.getValue()) {
          set(request, parameter.getKey(), value);
        }
      }
      for (int i = 0; i < route.variables().size(); i++) {
        set(
            request,
            route.variables().get(i),
            URLDecoder.decode(matcher.group(i + 1).replace("+", "%2B"), StandardCharsets.UTF_8));
      }
    } catch (InvalidProtocolBufferException | IllegalArgumentException e) {
      return error(
          400,
          "REQUEST_INVALID",
          "the request can't be read: " + e.getMessage(),
          "compare it with the API's reference");
    }
    var headers = new Metadata();
    if (!authorization.isEmpty()) {
      headers.put(AUTHORIZATION, authorization);
    }
    try {
      Message answer =
          ClientCalls.blockingUnaryCall(
              ClientInterceptors.intercept(
                  channel, MetadataUtils.newAttachHeadersInterceptor(headers)),
              route.method(),
              CallOptions.DEFAULT.withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS),
              request.build());
      return new Answer(200, JsonFormat.printer().alwaysPrintFieldsWithNoPresence().print(answer));
    } catch (StatusRuntimeException e) {
      return error(e);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("an answer can't be written as JSON", e);
    }
  }

  /** Sets a field by its JSON or proto name from the text of a query or path. */
  private static void set(Message.Builder request, String name, String value) {
    FieldDescriptor field =
        request.getDescriptorForType().getFields().stream()
            .filter(f -> f.getName().equals(name) || f.getJsonName().equals(name))
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException("unknown parameter " + name));
    Object parsed =
        switch (field.getJavaType()) {
          case STRING -> value;
          case INT -> Integer.parseInt(value);
          case LONG -> Long.parseLong(value);
          case BOOLEAN -> parseBoolean(name, value);
          case ENUM ->
              Optional.ofNullable(field.getEnumType().findValueByName(value))
                  .orElseThrow(
                      () -> new IllegalArgumentException(name + ": " + value + " is unknown"));
          case FLOAT, DOUBLE, BYTE_STRING, MESSAGE ->
              throw new IllegalArgumentException(name + " can't be given as a parameter");
        };
    if (field.isRepeated()) {
      request.addRepeatedField(field, parsed);
    } else {
      request.setField(field, parsed);
    }
  }

  private static boolean parseBoolean(String name, String value) {
    return switch (value) {
      case "true" -> true;
      case "false" -> false;
      default ->
          throw new IllegalArgumentException(name + ": " + value + " (expected: true or false)");
    };
  }

  private static Answer error(StatusRuntimeException e) {
    com.google.rpc.Status status = StatusProto.fromThrowable(e);
    if (status != null) {
      for (Any detail : status.getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          try {
            ErrorInfo info = detail.unpack(ErrorInfo.class);
            return error(
                httpStatus(e.getStatus().getCode()),
                info.getCode(),
                info.getMessage(),
                info.getRemedy());
          } catch (InvalidProtocolBufferException _) {
            break;
          }
        }
      }
    }
    return error(
        httpStatus(e.getStatus().getCode()),
        e.getStatus().getCode().name(),
        Objects.requireNonNullElse(e.getStatus().getDescription(), ""),
        "");
  }

  private static Answer error(int status, String code, String message, String remedy) {
    try {
      return new Answer(
          status,
          JsonFormat.printer()
              .print(
                  ErrorInfo.newBuilder()
                      .setCode(code)
                      .setMessage(message)
                      .setRemedy(remedy)
                      .build()));
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("an error can't be written as JSON", e);
    }
  }

  private static int httpStatus(Status.Code code) {
    return switch (code) {
      case OK -> 200;
      case INVALID_ARGUMENT, OUT_OF_RANGE -> 400;
      case UNAUTHENTICATED -> 401;
      case PERMISSION_DENIED -> 403;
      case NOT_FOUND -> 404;
      case ALREADY_EXISTS, ABORTED, FAILED_PRECONDITION -> 409;
      case RESOURCE_EXHAUSTED -> 429;
      case CANCELLED -> 499;
      case UNIMPLEMENTED -> 501;
      case UNAVAILABLE -> 503;
      case DEADLINE_EXCEEDED -> 504;
      case UNKNOWN, INTERNAL, DATA_LOSS -> 500;
    };
  }

  @SuppressWarnings("unchecked") // the services are generated from proto, all messages are Message
  private static Optional<Route> route(MethodDescriptor<?, ?> method) {
    if (method.getType() != MethodType.UNARY
        || !(method.getSchemaDescriptor() instanceof ProtoMethodDescriptorSupplier schema)
        || !schema.getMethodDescriptor().getOptions().hasExtension(AnnotationsProto.http)) {
      return Optional.empty();
    }
    HttpRule rule = schema.getMethodDescriptor().getOptions().getExtension(AnnotationsProto.http);
    String verb =
        switch (rule.getPatternCase()) {
          case GET -> "GET";
          case POST -> "POST";
          case DELETE -> "DELETE";
          case PUT, PATCH, CUSTOM, PATTERN_NOT_SET ->
              throw new IllegalStateException(
                  method.getFullMethodName() + " has an HTTP rule of a kind that is not supported");
        };
    String template = rule.getGet() + rule.getPost() + rule.getDelete();
    var variables = new ArrayList<String>();
    var regex = new StringBuilder();
    Matcher variable = VARIABLE.matcher(template);
    int from = 0;
    while (variable.find()) {
      variables.add(variable.group(1));
      regex.append(Pattern.quote(template.substring(from, variable.start()))).append("([^/:]+)");
      from = variable.end();
    }
    regex.append(Pattern.quote(template.substring(from)));
    return Optional.of(
        new Route(
            verb,
            Pattern.compile(regex.toString()),
            variables,
            rule.getBody().equals("*"),
            (MethodDescriptor<Message, Message>) method));
  }

  private static Message prototype(MethodDescriptor<Message, Message> method) {
    if (method.getRequestMarshaller() instanceof PrototypeMarshaller<Message> marshaller
        && marshaller.getMessagePrototype() instanceof Message prototype) {
      return prototype;
    }
    throw new IllegalStateException(method.getFullMethodName() + " is not generated from proto");
  }
}
