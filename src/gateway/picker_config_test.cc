#include "gateway/picker_config.h"

#include <gtest/gtest.h>

namespace tidegate::gateway {
namespace {

constexpr std::string_view kHead = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n";

Result<PickerConfig> read(const std::string& rest) {
  return read_picker_config("picker.yaml", std::string(kHead) + rest);
}

TEST(PickerConfig, UpstreamsDefaultReadsAsItsWeights) {
  const auto config = read(R"(plugins:
- type: queue-scorer
- type: kv-cache-utilization-scorer
- type: prefix-cache-scorer
  parameters: {blockSize: 64, maxPrefixBlocksToMatch: 256, lruCapacityPerServer: 31250}
- type: max-score-picker
  parameters: {maxNumOfEndpoints: 3}
- type: single-profile-handler
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: queue-scorer, weight: 2}
  - {pluginRef: kv-cache-utilization-scorer, weight: 2}
  - {pluginRef: prefix-cache-scorer, weight: 3}
  - pluginRef: max-score-picker
)");
  ASSERT_TRUE(config) << config.error().message;
  pick::Settings settings;
  config->apply(settings);
  EXPECT_EQ(settings.weights.queue, 2);
  EXPECT_EQ(settings.weights.kv, 2);
  EXPECT_EQ(settings.weights.prefix, 3);
  EXPECT_EQ(settings.weights.lora, 0);  // not listed
  EXPECT_EQ(settings.weights.tokens, 0);
  EXPECT_EQ(settings.endpoints_max, 3U);
  EXPECT_EQ(config->notes.size(), 2U);
}

TEST(PickerConfig, WithoutProfilesEveryPluginCounts) {
  const auto config = read(
      "plugins:\n- {type: lora-affinity-scorer, name: mine}\n- type: weighted-random-picker\n"
      "- {type: session-affinity-filter, parameters: {headerName: X-Where}}\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->weights.lora, 1);
  EXPECT_EQ(config->choice, pick::Choice::kWeightedRandom);
  EXPECT_EQ(config->session, (pick::Session{pick::SessionBy::kToken, "x-where", true}));
}

TEST(PickerConfig, EveryMistakeIsNamedWithItsLine) {
  const auto expect = [](const std::string& text, const std::string& message) {
    const auto config = read(text);
    ASSERT_FALSE(config) << text;
    EXPECT_NE(config.error().message.find(message), std::string::npos) << config.error().message;
  };
  expect("plugins:\n- type: queue-scorer\n- type: latency-scorer\n",
         "picker.yaml:5: plugins[1].type is \"latency-scorer\", which this gateway does not have; it has "
         "queue-scorer");
  expect("plugins:\n- type: queue-scorer\n  parameters: {treshold: 3}\n",
         "picker.yaml:5: plugins[0].parameters.treshold");
  expect("plugins:\n- type: queue-scorer\nschedulingProfiles:\n- plugins:\n  - pluginRef: kv-cache-scorer\n",
         "names \"kv-cache-scorer\", which is not among the plugins");
  expect(
      "plugins:\n- type: queue-scorer\nschedulingProfiles:\n- plugins:\n  - {pluginRef: queue-scorer, "
      "weight: -1}\n",
      "must be from 0");
  expect("plugins:\n- type: queue-scorer\n- type: queue-scorer\n", "for the second time");
  expect("plugins: []\n", "plugins");
  expect("plugin:\n- type: queue-scorer\n", "plugin");
  expect(
      "plugins:\n- type: queue-scorer\nschedulingProfiles:\n- {name: prefill, plugins: [{pluginRef: "
      "queue-scorer}]}\n"
      "- {name: decode, plugins: [{pluginRef: queue-scorer}]}\n",
      "second profile");
  EXPECT_FALSE(read_picker_config(
      "x", "apiVersion: v1\nkind: EndpointPickerConfig\nplugins: [{type: queue-scorer}]\n"));
  EXPECT_FALSE(read_picker_config("x", "kind: ["));
  EXPECT_FALSE(read_picker_config("x", ""));
  EXPECT_FALSE(load_picker_config("/nowhere/picker.yaml"));
}

TEST(PickerConfig, ThePreciseScorerGoesByWhatEnginesTell) {
  const auto port = [](const std::string& plugins) {
    const auto config = read_picker_config(
        "picker.yaml", "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n" + plugins);
    EXPECT_TRUE(config) << describe(config.error());
    pick::Settings settings;
    if (config) config->apply(settings);
    EXPECT_GT(settings.weights.prefix, 0);
    return settings.kv_events_port;
  };
  EXPECT_EQ(port("- type: prefix-cache-scorer\n"), 0);
  EXPECT_EQ(port("- type: precise-prefix-cache-scorer\n"), 5557);
  // As llm-d's guides have it.
  EXPECT_EQ(
      port("- type: token-producer\n  parameters: {modelName: m, vllm: {url: \"http://localhost:8000\"}}\n"
           "- type: endpoint-notification-source\n"
           "- type: precise-prefix-cache-producer\n"
           "  parameters:\n"
           "    tokenProcessorConfig: {blockSize: 64}\n"
           "    kvEventsConfig: {topicFilter: \"kv@\", discoverPods: true, podDiscoveryConfig: {socketPort: "
           "6000}}\n"
           "- type: prefix-cache-scorer\n"
           "  parameters: {prefixMatchInfoProducerName: precise-prefix-cache-producer}\n"),
      6000);
  EXPECT_EQ(port("- type: precise-prefix-cache-scorer\n"
                 "  parameters: {kvEventsConfig: {discoverPods: false, zmqEndpoint: \"tcp://*:5557\"}}\n"),
            0);
  EXPECT_FALSE(
      read_picker_config("x",
                         "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n"
                         "- type: precise-prefix-cache-scorer\n  parameters: {kvEventsConfg: {}}\n"));
}

TEST(PickerConfig, SessionsAreOneWord) {
  EXPECT_EQ(*parse_session("header"), (pick::Session{pick::SessionBy::kToken, "x-session-token", false}));
  EXPECT_EQ(*parse_session("cookie=Who"), (pick::Session{pick::SessionBy::kCookie, "Who", false}));
  EXPECT_EQ(*parse_session(" id=X-User "), (pick::Session{pick::SessionBy::kId, "x-user", false}));
  for (const char* wrong : {"", "headers", "cookie=", "cookie=a;b", "id=x y"})
    EXPECT_FALSE(parse_session(wrong)) << wrong;
}

}  // namespace
}  // namespace tidegate::gateway
