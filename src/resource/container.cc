#include "resource/container.h"

namespace tidegate::resource {
namespace {

constexpr IntegerRule kPort = {.min = 1, .max = kPortMax, .need = Need::kRequired};

// A port given by number or by the name of a container's port.
std::string_view any_port_name(std::string_view text) { return port_name(text); }

EnvVar read_env(Reader& item) {
  EnvVar variable;
  item.open();
  variable.name = item.text("name", {.need = Need::kRequired, .syntax = env_name});
  variable.value = item.text("value");
  Reader from(item, "valueFrom");
  from.open();
  if (!from.present()) return variable;
  if (item.has("value") && !variable.value.empty())
    item.wrong("valueFrom", "is set beside value; keep one of them");
  const auto keyed = [&](std::string_view field, EnvVar::Source source) {
    Reader ref(from, field);
    ref.open();
    variable.source = source;
    variable.ref = ref.text("name");
    variable.key = ref.text("key", {.need = Need::kRequired, .syntax = config_key});
    variable.optional = ref.boolean("optional").value_or(false);
  };
  if (from.has("configMapKeyRef")) {
    keyed("configMapKeyRef", EnvVar::Source::kConfigMap);
  } else if (from.has("secretKeyRef")) {
    keyed("secretKeyRef", EnvVar::Source::kSecret);
  } else if (from.has("fieldRef")) {
    Reader ref(from, "fieldRef");
    ref.open();
    variable.source = EnvVar::Source::kField;
    variable.ref = ref.text("fieldPath", {.need = Need::kRequired});
  } else if (from.has("resourceFieldRef")) {
    Reader ref(from, "resourceFieldRef");
    ref.open();
    variable.source = EnvVar::Source::kResource;
    variable.ref = ref.text("containerName");
    variable.key = ref.text("resource", {.need = Need::kRequired});
  }
  return variable;
}

EnvFrom read_env_from(Reader& item) {
  EnvFrom from;
  item.open();
  from.prefix = item.text("prefix");
  from.secret = item.has("secretRef");
  Reader ref(item, from.secret ? "secretRef" : "configMapRef");
  ref.open();
  from.name = ref.text("name");
  from.optional = ref.boolean("optional").value_or(false);
  return from;
}

HttpAction read_http(Reader& reader) {
  HttpAction http;
  reader.open();
  if (reader.has("path")) http.path = reader.text("path");
  http.port = reader.int_or_text("port", kPort, any_port_name).value_or(IntOrText{});
  http.host = reader.text("host");
  http.https = reader.choice<bool>("scheme", {{"HTTP", false}, {"HTTPS", true}}, false);
  reader.each("httpHeaders", {.max = 100}, [&](Reader& header) {
    header.open();
    http.headers.emplace_back(header.text("name", {.need = Need::kRequired, .syntax = header_name}),
                              header.text("value"));
  });
  return http;
}

enum class Asks { kProbe, kHook };  // a probe can speak gRPC, a lifecycle hook can sleep

// What a probe or a lifecycle hook does. Complains if nothing is named.
Action read_action(Reader& reader, Asks asks) {
  Action action;
  if (reader.has("httpGet")) {
    Reader http(reader, "httpGet");
    action.http = read_http(http);
  } else if (reader.has("tcpSocket")) {
    action.type = Action::Type::kTcp;
    Reader tcp(reader, "tcpSocket");
    tcp.open();
    action.port = tcp.int_or_text("port", kPort, any_port_name).value_or(IntOrText{});
  } else if (reader.has("exec")) {
    action.type = Action::Type::kExec;
    Reader exec(reader, "exec");
    exec.open();
    action.command = exec.texts("command");
  } else if (asks == Asks::kProbe && reader.has("grpc")) {
    action.type = Action::Type::kGrpc;
    Reader grpc(reader, "grpc");
    grpc.open();
    action.port.number = grpc.integer("port", kPort).value_or(0);
    action.service = grpc.text("service");
  } else if (asks == Asks::kHook && reader.has("sleep")) {
    action.type = Action::Type::kSleep;
    Reader sleep(reader, "sleep");
    sleep.open();
    action.sleep_s = sleep.integer("seconds", {.min = 0, .max = kInt32Max}).value_or(0);
  } else {
    reader.wrong({}, std::string("names nothing to do; set httpGet, tcpSocket, exec or ") +
                         (asks == Asks::kProbe ? "grpc" : "sleep"));
  }
  return action;
}

std::optional<Probe> read_probe(Reader& container, std::string_view field) {
  Reader reader(container, field);
  reader.open();
  if (!reader.present()) return {};
  Probe probe;
  probe.action = read_action(reader, Asks::kProbe);
  const auto seconds = [&](std::string_view name, std::int64_t min, int otherwise) {
    return static_cast<int>(reader.integer(name, {.min = min, .max = kInt32Max}).value_or(otherwise));
  };
  // Zero counts as unset in the API, except for the delay.
  const auto positive = [&](std::string_view name, int otherwise) {
    const int value = seconds(name, 0, otherwise);
    return value == 0 ? otherwise : value;
  };
  probe.initial_delay_s = seconds("initialDelaySeconds", 0, 0);
  probe.period_s = positive("periodSeconds", 10);
  probe.timeout_s = positive("timeoutSeconds", 1);
  probe.success_threshold = positive("successThreshold", 1);
  probe.failure_threshold = positive("failureThreshold", 3);
  probe.grace_s = reader.integer("terminationGracePeriodSeconds", {.min = 1});
  if (field != "readinessProbe" && probe.success_threshold != 1) {
    reader.wrong("successThreshold", "is " + std::to_string(probe.success_threshold) +
                                         "; use 1, only a readinessProbe may ask for more");
  }
  return probe;
}

std::optional<Action> read_hook(Reader& lifecycle, std::string_view field) {
  Reader reader(lifecycle, field);
  reader.open();
  if (!reader.present()) return {};
  return read_action(reader, Asks::kHook);
}

ContainerPort read_port(Reader& item) {
  ContainerPort port;
  item.open();
  port.name = item.text("name", {.syntax = port_name});
  port.port = static_cast<std::uint16_t>(item.integer("containerPort", kPort).value_or(0));
  port.host_port =
      static_cast<std::uint16_t>(item.integer("hostPort", {.min = 0, .max = kPortMax}).value_or(0));
  static const std::vector<std::string_view> kProtocols = {"TCP", "UDP", "SCTP"};
  const int protocol = item.choice_index("protocol", kProtocols);
  if (protocol >= 0) port.protocol = kProtocols[static_cast<std::size_t>(protocol)];
  return port;
}

void check_limits(Reader& resources, const Resources& read) {
  for (const auto& [name, request] : read.requests) {
    const auto limit = read.limits.find(name);
    if (limit != read.limits.end() && request > limit->second) {
      resources.wrong("requests", "has " + request.text() + " of " + name + ", more than the limit of " +
                                      limit->second.text() + "; lower the request or raise the limit");
    }
  }
}

void set_probe_defaults(Defaults probe) {
  probe.set("timeoutSeconds", std::int64_t{1});
  probe.set("periodSeconds", std::int64_t{10});
  probe.set("successThreshold", std::int64_t{1});
  probe.set("failureThreshold", std::int64_t{3});
  probe.at("httpGet").set("path", "/");
  probe.at("httpGet").set("scheme", "HTTP");
}

}  // namespace

Container read_container(Reader& item) {
  Container container;
  item.open();
  container.name = item.text("name", {.need = Need::kRequired, .syntax = dns_label});
  container.image = item.text("image", {.need = Need::kRequired});
  container.image_pull_policy = item.text("imagePullPolicy");
  container.command = item.texts("command");
  container.args = item.texts("args");
  container.working_dir = item.text("workingDir");
  item.each("ports", {.max = 1000}, [&](Reader& port) { container.ports.push_back(read_port(port)); });
  item.each("env", {.max = 10'000}, [&](Reader& variable) { container.env.push_back(read_env(variable)); });
  item.each("envFrom", {.max = 1000},
            [&](Reader& from) { container.env_from.push_back(read_env_from(from)); });
  {
    Reader resources(item, "resources");
    resources.open();
    container.resources.requests = resources.quantities("requests");
    container.resources.limits = resources.quantities("limits");
    check_limits(resources, container.resources);
  }
  item.each("volumeMounts", {.max = 1000}, [&](Reader& mount) {
    mount.open();
    container.mounts.push_back({.name = mount.text("name", {.need = Need::kRequired}),
                                .path = mount.text("mountPath", {.need = Need::kRequired}),
                                .sub_path = mount.text("subPath"),
                                .read_only = mount.boolean("readOnly").value_or(false)});
  });
  container.startup = read_probe(item, "startupProbe");
  container.readiness = read_probe(item, "readinessProbe");
  container.liveness = read_probe(item, "livenessProbe");
  Reader lifecycle(item, "lifecycle");
  lifecycle.open();
  container.pre_stop = read_hook(lifecycle, "preStop");
  container.post_start = read_hook(lifecycle, "postStart");
  container.restart_always = item.text("restartPolicy") == "Always";
  return container;
}

void set_container_defaults(Defaults container) {
  const std::string image = container.text("image");
  const bool latest =
      image.ends_with(":latest") ||
      (image.find('@') == std::string::npos &&
       image.find(':', image.rfind('/') == std::string::npos ? 0 : image.rfind('/')) == std::string::npos);
  container.set("imagePullPolicy", latest ? "Always" : "IfNotPresent");
  container.each("ports", [](Defaults port) { port.set("protocol", "TCP"); });
  set_probe_defaults(container.at("startupProbe"));
  set_probe_defaults(container.at("readinessProbe"));
  set_probe_defaults(container.at("livenessProbe"));
  // A limit without a request is a request too.
  Defaults resources = container.at("resources");
  if (resources.has("limits")) {
    Defaults requests = resources.make("requests");
    requests.copy_all(resources.at("limits"));
  }
}

}  // namespace tidegate::resource
