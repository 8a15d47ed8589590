#include "resource/defaults.h"

#include <nlohmann/json.hpp>

namespace tidegate::resource {

Json* Defaults::find(std::string_view field) const {
  if (object_ == nullptr || !object_->is_object()) return nullptr;
  const auto found = object_->find(field);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

template <typename T>
void Defaults::put(std::string_view field, T value) {
  if (object_ == nullptr || !object_->is_object() || find(field) != nullptr) return;
  (*object_)[std::string(field)] = std::move(value);
}

void Defaults::set(std::string_view field, std::string_view text) { put(field, std::string(text)); }
void Defaults::set(std::string_view field, std::int64_t number) { put(field, number); }
void Defaults::set(std::string_view field, bool flag) { put(field, flag); }

Defaults Defaults::at(std::string_view field) const { return Defaults(find(field)); }

Defaults Defaults::make(std::string_view field) {
  put(field, Json::object());
  return at(field);
}

bool Defaults::has(std::string_view field) const { return find(field) != nullptr; }

std::string Defaults::text(std::string_view field) const {
  const Json* value = find(field);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

void Defaults::copy_all(const Defaults& from) {
  // Both are walked for each other; what is longer than any real object stays as it is.
  constexpr std::size_t kFieldsMax = 1000;
  if (from.object_ == nullptr || !from.object_->is_object() || from.object_->size() > kFieldsMax) return;
  for (const auto& member : from.object_->items()) put(member.key(), member.value());
}

void Defaults::each(std::string_view field, const std::function<void(Defaults)>& visit) const {
  Json* list = find(field);
  if (list == nullptr || !list->is_array()) return;
  for (Json& item : *list) visit(Defaults(&item));
}

}  // namespace tidegate::resource
