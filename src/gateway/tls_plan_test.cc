#include "gateway/tls_plan.h"

#include <gtest/gtest.h>

namespace tidegate::gateway {
namespace {

const WallTime kNow = WallTime(std::chrono::hours(24 * 20'000));

net::KeyPair certificate_for(const std::vector<std::string>& names) {
  static const Result<net::KeyPair> authority = net::make_authority("test", kNow, std::chrono::hours(24));
  return *net::issue_server(*authority, names, kNow, std::chrono::hours(1));
}

using Names = std::vector<std::string>;

TEST(TlsPlan, TheListenerForAnyHostIsTheDefault) {
  const TlsPlan plan = plan_of({{.hosts = {"a.org"}, .certificates = {certificate_for({"a.org"})}},
                                {.hosts = {""}, .certificates = {certificate_for({"a.org", "b.org"})}}});
  ASSERT_EQ(plan.options.entries.size(), 2U);
  EXPECT_EQ(plan.options.entries[1].names, Names{"a.org"});
  EXPECT_NE(plan.options.entries[0].names, Names{"a.org"});
  EXPECT_FALSE(plan.options.refuse_unknown_names);
  EXPECT_FALSE(plan.strict_names);
}

TEST(TlsPlan, WithoutOneOtherNamesAreRefused) {
  const TlsPlan plan = plan_of({{.hosts = {"a.org"}, .certificates = {certificate_for({"a.org"})}}});
  EXPECT_TRUE(plan.options.refuse_unknown_names);
}

TEST(TlsPlan, SeveralCertificatesOfOneListenerAreChosenByTheirNames) {
  const TlsPlan plan =
      plan_of({{.hosts = {"*.org"},
                .certificates = {certificate_for({"a.org"}), certificate_for({"b.org", "elsewhere.com"})}}});
  ASSERT_EQ(plan.options.entries.size(), 2U);
  EXPECT_EQ(plan.options.entries[0].names, (Names{"*.org", "a.org"}));
  EXPECT_EQ(plan.options.entries[1].names, Names{"b.org"});
}

TEST(TlsPlan, DifferentRulesForClientsBindRequestsToTheirName) {
  const TlsPlan plan = plan_of({{.hosts = {"a.org"}, .certificates = {certificate_for({"a.org"})}},
                                {.hosts = {"b.org"},
                                 .certificates = {certificate_for({"b.org"})},
                                 .clients = net::TlsServerOptions::Clients::kMustShow,
                                 .clients_authorities_pem = "authority"}});
  EXPECT_TRUE(plan.strict_names);
}

TEST(TlsPlan, EqualOptionsAreTheSame) {
  const TlsPart part{.hosts = {"a.org"}, .certificates = {certificate_for({"a.org"})}};
  TlsPart other = part;
  EXPECT_TRUE(same(plan_of({part}).options, plan_of({other}).options));
  other.certificates = {certificate_for({"a.org"})};
  EXPECT_FALSE(same(plan_of({part}).options, plan_of({other}).options));
}

}  // namespace
}  // namespace tidegate::gateway
