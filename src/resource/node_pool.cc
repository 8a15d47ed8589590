#include "resource/node_pool.h"

#include "resource/defaults.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr std::int64_t kMachinesMax = 1000;

void read_duration(Reader& reader, std::string_view field, Duration& into) {
  const auto ms = duration_ms(reader.text(field, {.syntax = gateway_duration}));
  if (ms) into = std::chrono::milliseconds(*ms);
}

double read_amount(Reader& reader, std::string_view field, double otherwise, double max) {
  const auto quantity = reader.quantity(field);
  if (!quantity) return otherwise;
  const double value = static_cast<double>(quantity->milli) / 1000;
  if (value < 0 || value > max) {
    reader.wrong(field,
                 "is " + quantity->text() + "; use 0 to " + std::to_string(static_cast<long long>(max)));
    return otherwise;
  }
  return value;
}

Taint read_taint(Reader& item) {
  static const std::vector<std::string_view> kEffects = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
  Taint taint;
  taint.key = item.text("key", {.need = Need::kRequired, .syntax = label_key});
  taint.value = item.text("value", {.syntax = label_value});
  const int effect = item.choice_index("effect", kEffects, Need::kRequired);
  if (effect >= 0) taint.effect = kEffects[static_cast<std::size_t>(effect)];
  return taint;
}

void read_local(Reader& spec, LocalMachines& local) {
  Reader reader(spec, "local");
  read_duration(reader, "bootDelay", local.boot_delay);
  Reader failures(reader, "failures");
  local.fail_first = failures.integer("first", {.min = 0, .max = kMachinesMax}).value_or(0);
  local.fail_every = failures.integer("every", {.min = 0, .max = kMachinesMax}).value_or(0);
  if (failures.has("reason")) local.fail_reason = failures.text("reason", {.max = 256});
  if (local.fail_every > 0 && local.fail_first > local.fail_every) {
    failures.wrong("first", "is " + std::to_string(local.fail_first) + "; use at most every, which is " +
                                std::to_string(local.fail_every));
  }
}

void read_exec(Reader& spec, PoolProvider provider, ExecMachines& exec) {
  const bool needed = provider == PoolProvider::kExec;
  Reader reader(spec, "exec", needed ? Need::kRequired : Need::kOptional);
  exec.command = reader.texts("command", {.min = 1, .max = 64, .need = Need::kRequired}, {.max = 4096});
  read_duration(reader, "timeout", exec.timeout);
  if (exec.timeout <= Duration::zero() || exec.timeout > std::chrono::hours(1))
    reader.wrong("timeout", "is out of range; use 1ms to 1h");
}

void read_external_grpc(Reader& spec, PoolProvider provider, const std::string& name,
                        ExternalGrpcMachines& external) {
  const bool needed = provider == PoolProvider::kExternalGrpc;
  Reader reader(spec, "externalgrpc", needed ? Need::kRequired : Need::kOptional);
  external.address = reader.text("address", {.need = Need::kRequired, .min = 3, .max = 512});
  if (!external.address.empty() && external.address.find(':') == std::string::npos)
    reader.wrong("address", "is '" + external.address + "' without a port; use host:port");
  external.node_group = reader.text("nodeGroup", {.max = 512});
  if (external.node_group.empty()) external.node_group = name;
  for (const auto& [field, path] : {std::pair("key", &external.key), std::pair("cert", &external.cert),
                                    std::pair("cacert", &external.cacert)})
    *path = reader.text(field, {.max = 4096});
  if (external.key.empty() != external.cert.empty())
    reader.wrong("cert", "and key come together; give both, or neither");
  read_duration(reader, "timeout", external.timeout);
  if (external.timeout <= Duration::zero() || external.timeout > std::chrono::minutes(5))
    reader.wrong("timeout", "is out of range; use 1ms to 5m");
  read_duration(reader, "refresh", external.refresh);
  if (external.refresh < std::chrono::milliseconds(100) || external.refresh > std::chrono::hours(1))
    reader.wrong("refresh", "is out of range; use 100ms to 1h");
}

void read_rules(Reader& spec, NodePool& pool) {
  Reader up(spec, "scaleUp");
  read_duration(up, "provisionTimeout", pool.scale_up.provision_timeout);
  read_duration(up, "backoff", pool.scale_up.backoff);
  read_duration(up, "backoffMax", pool.scale_up.backoff_max);
  if (pool.scale_up.backoff > pool.scale_up.backoff_max)
    up.wrong("backoff", "is longer than backoffMax; use at most that");
  Reader down(spec, "scaleDown");
  pool.scale_down.enabled = down.boolean("enabled").value_or(true);
  read_duration(down, "unneededTime", pool.scale_down.unneeded_time);
  read_duration(down, "unreadyTime", pool.scale_down.unready_time);
  read_duration(down, "delayAfterAdd", pool.scale_down.delay_after_add);
  read_duration(down, "drainTimeout", pool.scale_down.drain_timeout);
  pool.scale_down.utilization_threshold = read_amount(down, "utilizationThreshold", 0.5, 1);
}

NodePool read(Reader& root) {
  NodePool pool;
  std::string name;
  {
    Reader metadata(root, "metadata");
    metadata.open();
    name = metadata.text("name");
  }
  Reader spec(root, "spec", Need::kRequired);
  pool.provider = spec.choice<PoolProvider>("provider",
                                            {{"static", PoolProvider::kStatic},
                                             {"local", PoolProvider::kLocal},
                                             {"exec", PoolProvider::kExec},
                                             {"externalgrpc", PoolProvider::kExternalGrpc}},
                                            PoolProvider::kLocal, Need::kRequired);
  pool.min = spec.integer("min", {.min = 0, .max = kMachinesMax}).value_or(0);
  const auto max = spec.integer("max", {.min = 0, .max = kMachinesMax, .need = Need::kRequired});
  pool.max = max.value_or(pool.min);
  if (max && pool.min > *max) {
    spec.wrong("min", "is " + std::to_string(pool.min) + " and max is " + std::to_string(*max) +
                          "; use a min of at most max");
  }
  if (max && pool.provider == PoolProvider::kStatic && pool.min != *max) {
    spec.wrong("min", "is " + std::to_string(pool.min) + " and max is " + std::to_string(*max) +
                          "; static machines exist or do not, use the same number for both");
  }
  pool.price_per_hour = read_amount(spec, "pricePerHour", 0, 1e6);
  pool.max_cost_per_hour = read_amount(spec, "maxCostPerHour", 0, 1e9);
  if (pool.max_cost_per_hour > 0 &&
      static_cast<double>(pool.min) * pool.price_per_hour > pool.max_cost_per_hour) {
    spec.wrong("maxCostPerHour", "is less than min machines cost; raise it, or lower min");
  }
  pool.labels = spec.text_map("labels", Need::kOptional, label_key, label_value);
  pool.labels.emplace(kNodePoolLabel, name);
  pool.annotations = spec.text_map("annotations", Need::kOptional, label_key);
  spec.each("taints", {.max = 64}, [&](Reader& item) { pool.taints.push_back(read_taint(item)); });
  pool.capacity = spec.quantities("capacity");
  // An external provider knows what its machines have; what the pool says goes before.
  const bool told = pool.provider == PoolProvider::kExternalGrpc && pool.capacity.empty();
  for (const std::string_view needed : {"cpu", "memory"}) {
    if (!told && spec.present() && !pool.capacity.contains(std::string(needed)) &&
        spec.findings().errors.empty()) {
      spec.wrong("capacity", "lacks " + std::string(needed) + "; say how much a machine of the pool has");
    }
  }
  if (!told) pool.capacity.emplace("pods", Quantity{110'000});
  read_local(spec, pool.local);
  read_exec(spec, pool.provider, pool.exec);
  read_external_grpc(spec, pool.provider, name, pool.external_grpc);
  read_rules(spec, pool);
  return pool;
}

void set_defaults(Json& document) {
  Defaults spec = Defaults(document).at("spec");
  spec.set("provider", "local");
  spec.set("min", std::int64_t{0});
}

void validate(const Json& document, Findings& findings) { check_document(document, findings, read); }

}  // namespace

std::string_view name_of(PoolProvider provider) {
  switch (provider) {
    case PoolProvider::kStatic:
      return "static";
    case PoolProvider::kLocal:
      return "local";
    case PoolProvider::kExec:
      return "exec";
    case PoolProvider::kExternalGrpc:
      return "externalgrpc";
  }
  return "";
}

Result<NodePool> NodePool::from(const Object& object) { return read_view(object.json(), read); }

Kind node_pool_kind() {
  return {.group = "tidegate.dev",
          .kind = "NodePool",
          .plural = "nodepools",
          .singular = "nodepool",
          .versions = {"v1alpha1"},
          .short_names = {"np"},
          .namespaced = false,
          .set_defaults = set_defaults,
          .validate = validate};
}

}  // namespace tidegate::resource
