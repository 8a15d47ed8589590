// Expressions of rules, over one document. Besides not crashing: what is evaluated twice is the same, and a budget is kept to.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/check.h"
#include "cel/expression.h"

using namespace tidegate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const cel::Json self = cel::Json::parse(
      R"({"a":1,"b":"text","c":[1,2,3],"d":{"e":1.5,"f":null},"g":[{"name":"x","size":1},{"name":"y","size":2}],"h":true})");
  const auto parsed = cel::Expression::parse({reinterpret_cast<const char*>(data), size});
  if (!parsed) {
    TG_CHECK(!parsed.error().message.empty());
    return 0;
  }
  constexpr std::size_t kSteps = 20'000;
  cel::Budget budget{kSteps};
  const auto first = parsed->evaluate({{"self", &self}, {"oldSelf", &self}}, budget);
  TG_CHECK(budget.steps <= kSteps);
  cel::Budget same{kSteps};
  const auto second = parsed->evaluate({{"self", &self}, {"oldSelf", &self}}, same);
  TG_CHECK(first.has_value() == second.has_value());
  if (first) {
    TG_CHECK(first->dump(-1, ' ', true, cel::Json::error_handler_t::replace) ==
             second->dump(-1, ' ', true, cel::Json::error_handler_t::replace));
  } else {
    TG_CHECK(first.error().message == second.error().message);
  }
  return 0;
}
