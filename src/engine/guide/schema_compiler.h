// The compiler's inside. Internal to this room.

#pragma once

#include <simdjson.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/guide/schema.h"

namespace tidegate::guide {

class SchemaCompiler {
 public:
  using Json = simdjson::dom::element;
  using Object = simdjson::dom::object;

  SchemaCompiler(Builder& builder, JsonText& json, Json root) : builder_(builder), json_(json), root_(root) {}

  Result<void> compile(RuleId root);

 private:
  // A schema and its path from the root, for messages.
  struct Place {
    Json schema;
    std::string path;
    int depth = 0;

    Place inside(Json inner, std::string_view name) const;
  };
  struct Pending {
    RuleId rule;
    Place place;
  };
  struct Member {
    std::string name;
    RuleId rule;
    bool required;
  };

  // schema.cc
  Result<NodeId> schema(const Place& at, NodeId next);
  Result<void> check_keywords(const Place& at, Object object) const;
  Result<NodeId> alternatives(const Place& at, std::string_view keyword, Json list, NodeId next);
  Result<NodeId> values(const Place& at, Object object, NodeId next);
  Result<NodeId> types(const Place& at, Object object, NodeId next);
  Result<NodeId> of_type(const Place& at, Object object, std::string_view type, NodeId next);
  Result<NodeId> reference(const Place& at, Json pointer, NodeId next);
  Result<RuleId> rule_of(const Place& at);
  Result<std::optional<std::uint32_t>> count(const Place& at, Object object, std::string_view keyword) const;
  tl::unexpected<Error> refuse(const Place& at, std::string_view keyword, std::string_view why) const;

  // schema_object.cc
  Result<NodeId> object(const Place& at, Object schema, NodeId next);
  Result<std::vector<Member>> members(const Place& at, Object schema, const std::optional<RuleId>& others);
  Result<std::optional<RuleId>> other_members(const Place& at, Object schema);
  Result<NodeId> array(const Place& at, Object schema, NodeId next);
  Result<NodeId> string(const Place& at, Object schema, NodeId next);
  RuleId member_rule(std::string_view name, RuleId value);

  // schema_number.cc
  Result<NodeId> number(const Place& at, Object schema, bool whole, NodeId next);
  NodeId magnitudes(std::uint64_t least, std::uint64_t most, NodeId next);
  NodeId decimals(std::uint64_t least, std::uint64_t most, NodeId next);

  Builder& builder_;
  JsonText& json_;
  const Json root_;
  std::map<std::string, RuleId> references_;
  std::vector<Pending> pending_;
};

}  // namespace tidegate::guide
