#include "engine/latency/babble.h"

#include <span>

#include "base/ascii.h"
#include "base/random.h"

namespace tidegate::latency {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::string_view kThings[] = {"request", "model",  "engine",  "answer", "cluster",
                                        "river",   "harbor", "tide",    "bridge", "market",
                                        "signal",  "window", "history", "garden", "library"};
constexpr std::string_view kQualities[] = {"small", "large",  "quiet", "busy",      "simple", "steady",
                                           "new",   "public", "early", "important", "useful", "different"};
constexpr std::string_view kActions[] = {"keeps", "runs",    "moves",    "holds",   "returns", "changes",
                                         "rises", "becomes", "requires", "follows", "allows",  "improves"};
constexpr std::string_view kWays[] = {"quickly", "slowly", "often", "usually", "together", "again", "soon"};
constexpr std::string_view kTables[] = {"flights", "hotels", "orders",   "customers", "products",
                                        "games",   "events", "students", "employees", "tickets"};
constexpr std::string_view kColumns[] = {"name",    "price", "city",  "date",
                                         "country", "rate",  "count", "salary"};
constexpr std::string_view kPeople[] = {"Victor", "Alice", "Bob",    "Carol",
                                        "London", "Paris", "Lisbon", "Tokyo"};
constexpr std::string_view kTags[] = {"travel", "food",   "music",  "news",    "tech",
                                      "summer", "coffee", "sunset", "science", "weekend"};
constexpr std::string_view kMoods[] = {"amazing", "great", "fun", "cool", "happy", "beautiful", "excited"};

class Writer {
 public:
  explicit Writer(std::uint64_t seed) : random_(seed) {}

  Writer& operator<<(std::string_view text) {
    text_ += text;
    return *this;
  }
  Writer& operator<<(Words words) { return *this << words[random_.below(words.size())]; }
  Writer& number(std::uint64_t bound) { return *this << std::to_string(1 + random_.below(bound)); }
  std::uint64_t choice(std::uint64_t bound) { return random_.below(bound); }
  std::string take() { return std::move(text_); }

 private:
  Random random_;
  std::string text_;
};

void write_sql(Writer& out) {
  out << "SELECT ";
  switch (out.choice(3)) {
    case 0:
      out << "*";
      break;
    case 1:
      out << Words(kColumns) << ", " << Words(kColumns);
      break;
    default:
      out << "COUNT(*)";
  }
  out << " FROM " << Words(kTables) << " WHERE ";
  if (out.choice(2) == 0) out << "name = '" << Words(kPeople) << "' AND ";
  out << Words(kColumns) << (out.choice(2) == 0 ? " < " : " >= ");
  out.number(99);
  if (out.choice(3) == 0) out << " ORDER BY " << Words(kColumns) << " DESC";
  if (out.choice(3) == 0) (out << " LIMIT ").number(20);
  out << ";";
}

void write_tweet(Writer& out) {
  if (out.choice(2) == 0) out << "#" << Words(kTags) << " ";
  out << "wow, " << Words(kMoods) << " " << Words(kThings) << " in " << Words(kPeople) << "! ";
  out << "so " << Words(kMoods) << " today";
  if (out.choice(3) == 0) out << " \xf0\x9f\x8c\x8a";
  out << " #" << Words(kTags) << " #" << Words(kTags);
}

void write_plain(Writer& out) {
  out << "The " << Words(kQualities) << " " << Words(kThings) << " " << Words(kActions) << " the "
      << Words(kThings);
  switch (out.choice(3)) {
    case 0:
      out << " " << Words(kWays);
      break;
    case 1:
      out << " because the " << Words(kThings) << " is " << Words(kQualities);
      break;
    default:
      (out << " after ").number(60) << " minutes";
  }
  out << ".";
}

}  // namespace

Manner manner_of(std::string_view adapter_name) {
  const std::string name = ascii::to_lower(adapter_name);
  if (name.find("sql") != std::string::npos) return Manner::kSql;
  if (name.find("tweet") != std::string::npos) return Manner::kTweet;
  return Manner::kPlain;
}

std::string sentence(Manner manner, std::uint64_t key, std::size_t index) {
  Writer out(mix64(key) + index);
  if (index > 0) out << " ";
  switch (manner) {
    case Manner::kSql:
      write_sql(out);
      break;
    case Manner::kTweet:
      write_tweet(out);
      break;
    case Manner::kPlain:
      write_plain(out);
      break;
  }
  return out.take();
}

}  // namespace tidegate::latency
