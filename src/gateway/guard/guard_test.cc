#include <gtest/gtest.h>

#include <thread>

#include "gateway/guard/ledger.h"
#include "gateway/guard/ring.h"

namespace tidegate::guard {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

WallTime at(std::int64_t s) { return WallTime(seconds(s)); }

TEST(Ring, FindsKeysAndNothingElse) {
  Ring ring;
  const auto client = std::make_shared<const Client>(Client{"default/keys/alice", {}, {}});
  EXPECT_TRUE(ring.add("sk-alice-0123456789", client));
  EXPECT_FALSE(ring.add("short", client));
  EXPECT_FALSE(ring.add(std::string(2000, 'x'), client));
  EXPECT_EQ(ring.find("sk-alice-0123456789"), client.get());
  for (const std::string& wrong : {std::string(), std::string("sk-alice-012345678"),
                                   std::string("sk-alice-01234567890"), std::string(1 << 20, 'x')}) {
    EXPECT_EQ(ring.find(wrong), nullptr);
  }
}

TEST(ModelRules, NamesAreExactOrPrefixes) {
  EXPECT_TRUE(ModelRules().allows("anything"));
  const ModelRules rules = ModelRules::parse(" sql-lora , tweet-*,, ");
  EXPECT_TRUE(rules.allows("sql-lora"));
  EXPECT_TRUE(rules.allows("tweet-summary-1"));
  EXPECT_FALSE(rules.allows("sql-lora-1"));
  EXPECT_FALSE(rules.allows("a-tweet-"));
  EXPECT_FALSE(rules.allows(""));
}

TEST(Window, StartsAnewWithEveryWindow) {
  Window minute(60);
  minute.add(40, at(600));
  minute.add(2, at(659));
  EXPECT_EQ(minute.used(at(659)), 42U);
  EXPECT_EQ(minute.used(at(660)), 0U);
  EXPECT_EQ(minute.resets_in(at(601)), seconds(59));
  minute.add(1, at(660));
  EXPECT_EQ(minute.used(at(661)), 1U);
  minute.add(~std::uint64_t{0}, at(661));  // kept within what fits
  EXPECT_GT(minute.used(at(661)), 1U);
}

TEST(Account, IsCheckedBeforeAndChargedAfter) {
  Account account;
  const Limits limits{.tokens_per_minute = 100, .tokens_per_day = 150, .requests_per_minute = 0};
  EXPECT_EQ(account.enter(limits, at(0)), Account::Verdict::kGo);
  account.charge(120, at(1));  // one answer may pass the limit: it is never cut
  EXPECT_EQ(account.tokens(limits, at(2)).remaining, 0U);
  EXPECT_EQ(account.enter(limits, at(2)), Account::Verdict::kTokens);
  EXPECT_EQ(account.enter(limits, at(60)), Account::Verdict::kGo);
  EXPECT_EQ(account.tokens(limits, at(60)).limit, 150U);  // the day's is nearer
  account.charge(30, at(61));
  EXPECT_EQ(account.enter(limits, at(120)), Account::Verdict::kTokensOfDay);
  EXPECT_EQ(account.enter(limits, at(86'400)), Account::Verdict::kGo);
  const Limits few{.tokens_per_minute = 0, .tokens_per_day = 0, .requests_per_minute = 2};
  Account other;
  EXPECT_EQ(other.enter(few, at(0)), Account::Verdict::kGo);
  EXPECT_EQ(other.requests(few, at(0)).remaining, 1U);
  EXPECT_EQ(other.enter(few, at(0)), Account::Verdict::kGo);
  EXPECT_EQ(other.enter(few, at(0)), Account::Verdict::kRequests);
}

TEST(Ledger, WorkersChargeTheSameAccount) {
  Ledger ledger;
  const Client client{"default/keys/alice", {}, {}};
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 4; ++i) {
      workers.emplace_back([&] {
        Books books(ledger);
        for (int n = 0; n < 10'000; ++n) books.account(client, "m")->charge(1, at(5));
      });
    }
  }
  Books books(ledger);
  EXPECT_EQ(books.account(client, "m")
                ->tokens({.tokens_per_minute = 50'000, .tokens_per_day = 0, .requests_per_minute = 0}, at(5))
                .remaining,
            10'000U);
  EXPECT_EQ(books.account(client, "n")
                ->tokens({.tokens_per_minute = 7, .tokens_per_day = 0, .requests_per_minute = 0}, at(5))
                .remaining,
            7U);
}

}  // namespace
}  // namespace tidegate::guard
