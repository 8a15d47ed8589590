#include "cluster/schema/protobuf.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace tidegate::schema {
namespace {

using resource::Json;

// The wire format, written by hand.
std::string varint(std::uint64_t number) {
  std::string text;
  for (; number >= 0x80; number >>= 7) text.push_back(static_cast<char>(number | 0x80));
  text.push_back(static_cast<char>(number));
  return text;
}
std::string field(int number, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string field(int number, std::uint64_t integer) {
  return varint(static_cast<std::uint64_t>(number) << 3) + varint(integer);
}
std::string enveloped(const std::string& api_version, const std::string& kind, const std::string& raw) {
  return std::string("k8s\0", 4) + field(1, field(1, api_version) + field(2, kind)) + field(2, raw) +
         field(3, std::string()) + field(4, std::string());
}

TEST(Protobuf, ANamespaceAsKubectlSendsIt) {
  // Go writes empty texts and a zero time too.
  const std::string metadata = field(1, std::string("team-a")) + field(2, std::string()) +
                               field(3, std::string()) + field(6, std::string()) + field(7, 0) +
                               field(8, std::string());
  const auto document = decode_protobuf(enveloped(
      "v1", "Namespace", field(1, metadata) + field(2, std::string()) + field(3, field(1, std::string()))));
  ASSERT_TRUE(document.has_value()) << describe(document.error());
  EXPECT_EQ(
      *document,
      Json::parse(
          R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"team-a"},"spec":{},"status":{}})"));
}

TEST(Protobuf, MapsListsQuantitiesAndWrappedValues) {
  const std::string limits = field(1, field(1, std::string("cpu")) + field(2, field(1, std::string("500m"))));
  const std::string container =
      field(1, std::string("main")) + field(2, std::string("image:1")) + field(8, limits);
  const std::string pod_spec = field(2, container);
  const std::string label = field(1, std::string("app")) + field(2, std::string("web"));
  const std::string pod_template = field(1, field(11, label)) + field(2, pod_spec);
  const std::string surge = field(1, 1) + field(2, 0) + field(3, std::string("25%"));
  const std::string strategy = field(1, std::string("RollingUpdate")) + field(2, field(2, surge));
  const std::string spec =
      field(1, 0) + field(2, field(1, label)) + field(3, pod_template) + field(4, strategy) + field(5, 0);
  const auto document = decode_protobuf(
      enveloped("apps/v1", "Deployment", field(1, field(1, std::string("web"))) + field(2, spec)));
  ASSERT_TRUE(document.has_value()) << describe(document.error());
  const Json& decoded = (*document)["spec"];
  EXPECT_EQ(decoded["replicas"], 0) << "an answer, not an absence";
  EXPECT_FALSE(decoded.contains("minReadySeconds"));
  EXPECT_EQ(decoded["selector"]["matchLabels"]["app"], "web");
  EXPECT_EQ(decoded["template"]["metadata"]["labels"]["app"], "web");
  EXPECT_EQ(decoded["template"]["spec"]["containers"][0]["image"], "image:1");
  EXPECT_EQ(decoded["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"], "500m");
  EXPECT_EQ(decoded["strategy"]["rollingUpdate"]["maxSurge"], "25%");
}

TEST(Protobuf, BytesBecomeBase64) {
  const std::string entry = field(1, std::string("key")) + field(2, std::string("\x00\x01\xFF secret", 10));
  const auto document = decode_protobuf(enveloped("v1", "Secret", field(2, entry)));
  ASSERT_TRUE(document.has_value()) << describe(document.error());
  EXPECT_EQ((*document)["data"]["key"], "AAH/IHNlY3JldA==");
}

TEST(Protobuf, WhatIsBrokenOrUnknownIsRefused) {
  EXPECT_FALSE(decode_protobuf("{}").has_value());
  EXPECT_FALSE(decode_protobuf(std::string("k8s\0", 4) + "\xFF\xFF").has_value());
  EXPECT_FALSE(decode_protobuf(enveloped("v1", "Nothing", "")).has_value());
  EXPECT_FALSE(decode_protobuf(enveloped("tidegate.dev/v1alpha1", "NodePool", "")).has_value());
  const std::string good = enveloped("v1", "Namespace", field(1, field(1, std::string("a"))));
  for (std::size_t size = 0; size + 6 < good.size(); ++size) {
    (void)decode_protobuf(good.substr(0, size));  // must not read past the end
  }
  EXPECT_FALSE(decode_protobuf(enveloped("v1", "Namespace", "\x0A\x7Fx")).has_value());
}

}  // namespace
}  // namespace tidegate::schema
