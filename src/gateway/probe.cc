#include "gateway/probe.h"

#include "telemetry/buckets.h"

namespace tidegate::gateway {
namespace {

using telemetry::Registry;

constexpr std::string_view kWorkload = "tidegate-gateway";
constexpr std::string_view kWorkloadNamespace = "tidegate-system";

const std::vector<std::string>& request_labels() {
  static const std::vector<std::string> labels = {"reporter",
                                                  "source_workload",
                                                  "source_workload_namespace",
                                                  "destination_service",
                                                  "destination_service_name",
                                                  "destination_service_namespace",
                                                  "request_protocol",
                                                  "response_code",
                                                  "response_flags",
                                                  "model"};
  return labels;
}

const std::vector<std::string>& token_labels() {
  static const std::vector<std::string> labels = {"llmproxy_source_workload",
                                                  "llmproxy_source_workload_namespace",
                                                  "llmproxy_destination_service", "llmproxy_model", "model"};
  return labels;
}

std::string or_unknown(std::string_view text) { return std::string(text.empty() ? "unknown" : text); }

telemetry::LabelValues values_of(const Report& report) {
  const std::size_t dot = report.service.find('.');
  const std::string name = or_unknown(report.service.substr(0, dot));
  const std::string in =
      dot == std::string_view::npos ? "unknown" : std::string(report.service.substr(dot + 1));
  return {"source",
          std::string(kWorkload),
          std::string(kWorkloadNamespace),
          or_unknown(report.service),
          name,
          in,
          "http",
          std::to_string(report.status),
          report.flags.empty() ? "-" : std::string(report.flags),
          or_unknown(report.model)};
}

}  // namespace

Probe::Probe(Registry& registry, std::size_t shard) : registry_(registry), shard_(shard) {
  overhead_ =
      registry
          .histogram("tidegate_request_overhead_seconds",
                     "Time a request spent in the gateway before it was sent on, its reading not counted.",
                     telemetry::overhead_bounds())
          .with(shard);
  connections_ = registry.gauge("tidegate_client_connections", "Client connections now open.").with(shard);
  active_ = registry.gauge("tidegate_requests_active", "Requests now under way.").with(shard);
}

// Leaves the key of service and model in key_.
Probe::Model& Probe::model_for(const Report& report) {
  key_.assign(report.service).push_back('\0');
  key_.append(report.model);
  const auto found = models_.find(std::string_view(key_));
  return found != models_.end() ? found->second : models_.emplace(key_, Model{}).first->second;
}

// Requires: key_ is the model's.
Probe::Requests& Probe::requests_for(Model& model, const Report& report) {
  if (model.usual && report.flags.empty() && report.status == model.usual_status) return *model.usual;
  key_.append(1, '\0').append(report.flags).push_back('\0');
  key_.append(reinterpret_cast<const char*>(&report.status), sizeof report.status);
  auto found = requests_.find(std::string_view(key_));
  if (found == requests_.end()) found = requests_.emplace(key_, make_requests(report)).first;
  if (report.flags.empty()) {
    model.usual = &found->second;
    model.usual_status = report.status;
  }
  return found->second;
}

Probe::Requests Probe::make_requests(const Report& report) {
  const telemetry::LabelValues values = values_of(report);
  return {
      registry_.counter("istio_requests_total", "Requests answered.", request_labels()).with(shard_, values),
      registry_
          .histogram("istio_request_duration_milliseconds", "From the first byte in to the last byte out.",
                     telemetry::istio_duration_bounds_ms(), request_labels())
          .with(shard_, values)};
}

Probe::Tokens& Probe::tokens_for(Model& model, const Report& report) {
  if (model.tokens) return *model.tokens;
  const telemetry::LabelValues tokens = {std::string(kWorkload), std::string(kWorkloadNamespace),
                                         or_unknown(report.service), or_unknown(report.model),
                                         or_unknown(report.model)};
  const telemetry::LabelValues own = {or_unknown(report.service), or_unknown(report.model)};
  const auto counter = [&](std::string_view name, std::string_view help) {
    return registry_.counter(name, help, token_labels()).with(shard_, tokens);
  };
  const auto own_histogram = [&](std::string_view name, std::string_view help, std::vector<double> bounds) {
    return registry_.histogram(name, help, std::move(bounds), {"service", "model"}).with(shard_, own);
  };
  model.tokens = Tokens{
      counter("asm_llm_proxy_prompt_tokens", "Prompt tokens, as the engine counted them."),
      counter("asm_llm_proxy_completion_tokens", "Completion tokens, as the engine counted them."),
      registry_
          .counter("tidegate_cached_prompt_tokens_total",
                   "Prompt tokens the engine took from its prefix cache.", {"service", "model"})
          .with(shard_, own),
      registry_
          .counter("tidegate_usage_unknown_total", "Answers whose tokens nobody reported.",
                   {"service", "model"})
          .with(shard_, own),
      own_histogram("tidegate_time_to_first_token_seconds", "From the request to its first output token.",
                    telemetry::ttft_bounds()),
      own_histogram("tidegate_time_per_output_token_seconds",
                    "Between two output tokens of one answer, on average.", telemetry::per_token_bounds())};
  return *model.tokens;
}

void Probe::request(const Report& report) {
  Model& model = model_for(report);
  Requests& requests = requests_for(model, report);
  requests.total.add();
  requests.duration_ms.observe(milliseconds(report.counted.total));
  if (report.overhead) overhead_.observe(seconds(*report.overhead));
  if (!report.counts_tokens) return;
  Tokens& tokens = tokens_for(model, report);
  if (report.counted.known) {
    tokens.prompt.add(report.counted.prompt);
    tokens.completion.add(report.counted.completion);
    if (report.counted.cached) tokens.cached.add(*report.counted.cached);
  } else {
    tokens.unknown.add();
  }
  // A whole answer shows its first token only with its last.
  if (report.streamed && report.counted.first_token)
    tokens.first_token.observe(seconds(*report.counted.first_token));
  if (report.streamed && report.counted.per_output)
    tokens.per_token.observe(seconds(*report.counted.per_output));
}

void Probe::refused(int status) {
  registry_
      .counter("tidegate_requests_unreadable_total",
               "Requests that could not be read, by the status they were answered with.", {"response_code"})
      .with(shard_, {std::to_string(status)})
      .add();
}

void Probe::retry(std::string_view reason) {
  registry_
      .counter("tidegate_retries_total", "Requests sent to another endpoint, by what the first one did.",
               {"reason"})
      .with(shard_, {std::string(reason)})
      .add();
}

void Probe::rejected(std::string_view reason) {
  registry_.counter("tidegate_rejections_total", "Requests the gateway refused, by reason.", {"reason"})
      .with(shard_, {std::string(reason)})
      .add();
}

void Probe::prefix(const std::string& service, std::uint32_t prompt_bytes, std::uint32_t held_bytes,
                   bool told) {
  auto found = prefixes_.find(std::string_view(service));
  if (found == prefixes_.end()) {
    const auto counter = [&](std::string_view name, std::string_view help) {
      return registry_.counter(name, help, {"service"}).with(shard_, {service});
    };
    const auto lookups = [&](const char* source) {
      return registry_
          .counter("tidegate_prefix_lookups_total",
                   "Prompts that were looked up, by how it is known what the chosen endpoint holds.",
                   {"service", "source"})
          .with(shard_, {service, source});
    };
    Prefixes made{counter("tidegate_prefix_prompt_bytes_total", "Bytes of prompts that were looked up."),
                  counter("tidegate_prefix_held_bytes_total",
                          "Bytes of them that the chosen endpoint should hold in its KV cache."),
                  lookups("told"), lookups("guessed")};
    found = prefixes_.emplace(service, std::move(made)).first;
  }
  found->second.prompt.add(prompt_bytes);
  found->second.held.add(held_bytes);
  (told ? found->second.told : found->second.guessed).add(1);
}

void Probe::waited(const std::string& service, std::string_view how, Duration time) {
  registry_
      .histogram("tidegate_wait_seconds", "Time that requests which had to wait waited in the gateway.",
                 telemetry::ttft_bounds(), {"service", "how"})
      .with(shard_, {service, std::string(how)})
      .observe(seconds(time));
}

void Probe::pick(const std::string& key, const std::string& service, const std::string& address) {
  const auto found = picks_.find(std::string_view(key));
  if (found != picks_.end()) {
    found->second.add();
    return;
  }
  telemetry::Counter made =
      registry_.counter("tidegate_picks_total", "Requests sent, by endpoint.", {"service", "endpoint"})
          .with(shard_, {service, address});
  made.add();
  picks_.emplace(key, std::move(made));
}

}  // namespace tidegate::gateway
