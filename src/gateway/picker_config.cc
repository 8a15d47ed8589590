#include "gateway/picker_config.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "base/ascii.h"
#include "resource/reader.h"
#include "resource/yaml.h"

namespace tidegate::gateway {
namespace {

using resource::Need;
using resource::Reader;

constexpr std::size_t kFileBytesMax = 1024 * 1024;
constexpr std::string_view kSessionHeader = "x-session-token";
constexpr std::string_view kSessionCookie = "tidegate-session";

enum class Role : std::uint8_t { kScorer, kPicker, kSessionFilter, kBuiltIn };

struct Plugin {
  std::string_view type;
  Role role;
  float pick::Weights::*weight = nullptr;  // of a scorer
  pick::Choice choice = pick::Choice::kBest;
  bool precise = false;  // goes by what engines tell of their KV caches
};

// Where upstream's picker looks for them, and vLLM publishes them, if nothing is said.
constexpr std::uint16_t kKvEventsPort = 5557;

constexpr std::array kPlugins = {
    Plugin{"queue-scorer", Role::kScorer, &pick::Weights::queue},
    Plugin{"load-aware-scorer", Role::kScorer, &pick::Weights::queue},
    Plugin{"running-requests-scorer", Role::kScorer, &pick::Weights::running},
    Plugin{"running-requests-size-scorer", Role::kScorer, &pick::Weights::running},
    Plugin{"kv-cache-utilization-scorer", Role::kScorer, &pick::Weights::kv},
    Plugin{"kv-cache-scorer", Role::kScorer, &pick::Weights::kv},
    Plugin{"active-request-scorer", Role::kScorer, &pick::Weights::in_flight},
    Plugin{"lora-affinity-scorer", Role::kScorer, &pick::Weights::lora},
    Plugin{"prefix-cache-scorer", Role::kScorer, &pick::Weights::prefix},
    Plugin{"precise-prefix-cache-scorer", Role::kScorer, &pick::Weights::prefix, pick::Choice::kBest, true},
    Plugin{"token-load-scorer", Role::kScorer, &pick::Weights::tokens},
    Plugin{"session-affinity-scorer", Role::kScorer, &pick::Weights::session},
    Plugin{"session-affinity-filter", Role::kSessionFilter},
    Plugin{"max-score-picker", Role::kPicker, nullptr, pick::Choice::kBest},
    Plugin{"random-picker", Role::kPicker, nullptr, pick::Choice::kRandom},
    Plugin{"weighted-random-picker", Role::kPicker, nullptr, pick::Choice::kWeightedRandom},
    Plugin{"single-profile-handler", Role::kBuiltIn},
    Plugin{"openai-parser", Role::kBuiltIn},
    Plugin{"anthropic-parser", Role::kBuiltIn},
    Plugin{"passthrough-parser", Role::kBuiltIn},
    Plugin{"approx-prefix-cache-producer", Role::kBuiltIn},
    Plugin{"precise-prefix-cache-producer", Role::kBuiltIn, nullptr, pick::Choice::kBest, true},
    Plugin{"token-producer", Role::kBuiltIn},
    Plugin{"tokenizer", Role::kBuiltIn},
    Plugin{"endpoint-notification-source", Role::kBuiltIn},
    Plugin{"inflight-load-producer", Role::kBuiltIn},
    Plugin{"metrics-data-source", Role::kBuiltIn},
    Plugin{"core-metrics-extractor", Role::kBuiltIn},
    Plugin{"utilization-detector", Role::kBuiltIn},
};

constexpr std::array kVersions = {"inference.networking.x-k8s.io/v1alpha1", "llm-d.ai/v1alpha1",
                                  "llm-d.ai/v1",
                                  "config.apix.gateway-api-inference-extension.sigs.k8s.io/v1alpha1"};

const Plugin* find_plugin(std::string_view type) {
  const auto found = std::ranges::find(kPlugins, type, &Plugin::type);
  return found == kPlugins.end() ? nullptr : &*found;
}

std::string known_types() {
  std::string text;
  for (const Plugin& plugin : kPlugins) {
    if (plugin.role != Role::kBuiltIn) text.append(text.empty() ? "" : ", ").append(plugin.type);
  }
  return text;
}

// One plugin as it is named in profiles.
struct Named {
  const Plugin* plugin = nullptr;
  std::uint32_t endpoints_max = 0;
  std::string header;
  std::uint16_t kv_events_port = 0;
};

class ConfigReader {
 public:
  explicit ConfigReader(PickerConfig& config) : config_(config) {
    config_.weights = {0, 0, 0, 0, 0, 0, 0, 0};
  }

  void read(Reader& root) {
    const std::string version = root.text("apiVersion", {.need = Need::kRequired});
    if (!version.empty() && std::ranges::find(kVersions, version) == kVersions.end())
      root.wrong("apiVersion", "is \"" + version + "\"; use " + kVersions[0] + " or " + kVersions[1]);
    const std::string kind = root.text("kind", {.need = Need::kRequired});
    if (!kind.empty() && kind != "EndpointPickerConfig")
      root.wrong("kind", "is \"" + kind + "\"; use EndpointPickerConfig");
    root.ignore({"metadata"});
    for (const std::string_view field : {"featureGates", "saturationDetector", "flowControl", "dataLayer",
                                         "data", "requestHandler", "parser"}) {
      if (root.has(field))
        config_.notes.push_back(std::string(field) + " is not read: flags of the gateway set it");
    }
    root.each("plugins", {.min = 1, .need = Need::kRequired}, [this](Reader& item) { read_plugin(item); });
    int profiles = 0;
    root.each("schedulingProfiles", {}, [&](Reader& item) {
      if (++profiles == 2)
        item.wrong("", "is a second profile; this gateway has one, as it does not split prefill from decode");
      read_profile(item);
    });
    if (profiles == 0) {  // then every plugin counts
      for (const auto& [name, named] : plugins_) use(named, 1);
    }
  }

 private:
  void read_plugin(Reader& item) {
    const std::string type = item.text("type", {.need = Need::kRequired});
    std::string name = item.text("name");
    if (name.empty()) name = type;
    Named named;
    named.plugin = find_plugin(type);
    if (!type.empty() && named.plugin == nullptr)
      item.wrong("type", "is \"" + type + "\", which this gateway does not have; it has " + known_types());
    read_parameters(item, named);
    if (named.plugin == nullptr) return;
    if (named.plugin->role == Role::kBuiltIn && named.plugin->precise) {
      config_.kv_events_port = named.kv_events_port;
    } else if (named.plugin->role == Role::kBuiltIn)
      config_.notes.push_back(type + " stands for what this gateway does anyway");
    if (!plugins_.emplace(name, named).second)
      item.wrong("name", "is \"" + name + "\" for the second time; give each plugin its own name");
  }

  void read_parameters(Reader& item, Named& named) {
    const bool precise = named.plugin != nullptr && named.plugin->precise;
    if (precise) named.kv_events_port = kKvEventsPort;
    Reader parameters(item, "parameters");
    if (!parameters.present()) return;
    if (precise) return read_precise(parameters, named);
    if (named.plugin == nullptr || named.plugin->role == Role::kBuiltIn) {
      parameters.open();
    } else if (named.plugin->role == Role::kPicker) {
      const auto most = parameters.integer("maxNumOfEndpoints", {.min = 1, .max = 8});
      if (most) named.endpoints_max = static_cast<std::uint32_t>(*most);
      parameters.ignore({"threshold"});
    } else if (named.plugin->role == Role::kSessionFilter ||
               named.plugin->weight == &pick::Weights::session) {
      named.header = ascii::to_lower(parameters.text("headerName"));
    } else {
      // Sizes and thresholds of their formulas; ours find them from the pool itself.
      parameters.ignore({"threshold", "blockSize", "blockSizeTokens", "hashBlockSize",
                         "maxPrefixBlocksToMatch", "maxPrefixTokensToMatch", "lruCapacityPerServer",
                         "autoTune", "queueThresholdTokens", "idleThreshold", "maxBusyScore",
                         "requestTimeout", "mode", "prefixMatchInfoProducerName"});
      config_.notes.push_back(std::string(named.plugin->type) + ": its parameters are not needed here");
    }
  }

  // Where engines publish is theirs to say. How blocks are named, tokens found and what was just sent is
  // counted in beforehand is ours.
  void read_precise(Reader& parameters, Named& named) {
    parameters.ignore({"tokenProcessorConfig", "indexerConfig", "speculativeIndexing", "speculativeTTL",
                       "fullReportRepair"});
    for (const std::string_view field : {"tokenProcessorConfig", "indexerConfig"}) {
      if (parameters.has(field))
        config_.notes.push_back(std::string(named.plugin->type) + ": " + std::string(field) +
                                " is not needed here: engines are asked for tokens");
    }
    Reader events(parameters, "kvEventsConfig");
    if (!events.present()) return;
    events.ignore({"topicFilter", "concurrency", "engineType"});
    const bool discovers = events.boolean("discoverPods").value_or(true);
    if (!events.text("zmqEndpoint").empty())
      config_.notes.push_back(std::string(named.plugin->type) +
                              ": zmqEndpoint is not bound: the gateway connects to its engines; let each of "
                              "them publish at \"tcp://*:5557\"");
    Reader pods(events, "podDiscoveryConfig");
    if (pods.present()) {
      pods.ignore({"podLabelSelector", "podNamespace"});
      const auto port = pods.integer("socketPort", {.min = 1, .max = 65535});
      if (port) named.kv_events_port = static_cast<std::uint16_t>(*port);
    }
    if (!discovers) named.kv_events_port = 0;
  }

  void read_profile(Reader& item) {
    static_cast<void>(item.text("name"));
    item.each("plugins", {.min = 1, .need = Need::kRequired}, [this](Reader& ref) {
      const std::string name = ref.text("pluginRef", {.need = Need::kRequired});
      const std::optional<double> weight = ref.number("weight");
      if (weight && !(*weight >= 0 && *weight <= 1e6)) ref.wrong("weight", "must be from 0 to 1000000");
      const auto found = plugins_.find(name);
      if (found == plugins_.end()) {
        if (!name.empty() && ref.findings().errors.empty())
          ref.wrong("pluginRef", "names \"" + name + "\", which is not among the plugins");
        return;
      }
      if (weight && found->second.plugin->role != Role::kScorer)
        ref.wrong("weight", "is given to " + name + ", which is no scorer; leave it out");
      use(found->second, static_cast<float>(weight.value_or(1)));
    });
  }

  void use(const Named& named, float weight) {
    const Plugin& plugin = *named.plugin;
    switch (plugin.role) {
      case Role::kScorer:
        config_.weights.*plugin.weight += weight;
        if (plugin.precise) config_.kv_events_port = named.kv_events_port;
        if (plugin.weight == &pick::Weights::session) use_session(named, false);
        break;
      case Role::kSessionFilter:
        use_session(named, true);
        break;
      case Role::kPicker:
        config_.choice = plugin.choice;
        config_.endpoints_max = named.endpoints_max;
        break;
      case Role::kBuiltIn:
        break;
    }
  }

  void use_session(const Named& named, bool pins) {
    config_.session.by = pick::SessionBy::kToken;
    config_.session.name = named.header.empty() ? std::string(kSessionHeader) : named.header;
    config_.session.pins = config_.session.pins || pins;
  }

  PickerConfig& config_;
  std::map<std::string, Named> plugins_;
};

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

}  // namespace

void PickerConfig::apply(pick::Settings& settings) const {
  settings.weights = weights;
  settings.choice = choice;
  settings.session = session;
  settings.endpoints_max = endpoints_max;
  settings.kv_events_port = kv_events_port;
}

Result<PickerConfig> read_picker_config(std::string_view source, std::string_view text) {
  auto documents = resource::parse_documents(source, text);
  if (!documents) return tl::unexpected(documents.error());
  if (documents->size() != 1)
    return invalid("", std::string(source) + ": holds " + std::to_string(documents->size()) +
                           " documents; write one EndpointPickerConfig");
  PickerConfig config;
  resource::Findings findings;
  {
    Reader root(*documents->front().json, findings);
    ConfigReader(config).read(root);
  }
  if (findings.errors.empty()) return config;
  std::string all;
  for (const Error& error : findings.errors) {
    const std::size_t line = documents->front().line(error.field);
    all.append(all.empty() ? "" : "\n").append(source).append(":").append(std::to_string(line)).append(": ");
    all.append(error.field).append(error.field.empty() ? "" : " ").append(error.message);
  }
  return invalid("", std::move(all));
}

Result<PickerConfig> load_picker_config(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return invalid("", "names " + path + ", which cannot be read");
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kFileBytesMax) return invalid("", "names " + path + ", which is larger than 1 MiB");
  return read_picker_config(path, text);
}

Result<pick::Session> parse_session(std::string_view text) {
  text = ascii::trim(text);
  const std::size_t equals = text.find('=');
  const std::string_view by = text.substr(0, equals);
  const std::string_view name =
      equals == std::string_view::npos ? std::string_view() : text.substr(equals + 1);
  pick::Session session;
  if (text == "none") return session;
  if (by == "header") session = {pick::SessionBy::kToken, std::string(kSessionHeader), false};
  if (by == "cookie") session = {pick::SessionBy::kCookie, std::string(kSessionCookie), false};
  if (by == "id") session = {pick::SessionBy::kId, "x-session-id", false};
  if (session.by == pick::SessionBy::kNothing || (equals != std::string_view::npos && !is_token(name))) {
    return invalid("", "is \"" + std::string(text.substr(0, 80)) +
                           "\"; write none, header, cookie or id, with =NAME for another header or cookie");
  }
  if (!name.empty()) session.name = by == "cookie" ? std::string(name) : ascii::to_lower(name);
  return session;
}

}  // namespace tidegate::gateway
