// Fills in what an API documents as defaults, in place. What is set already, and whatever has the wrong type
// (admission complains about that later), stays as it is.
//
// Thread: one document, one thread.

#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "resource/object.h"

namespace tidegate::resource {

class Defaults {
 public:
  explicit Defaults(Json& object) : object_(&object) {}

  // Sets `field` if it is absent or null.
  void set(std::string_view field, std::string_view text);
  void set(std::string_view field, const std::string& text) { set(field, std::string_view(text)); }
  void set(std::string_view field, const char* text) { set(field, std::string_view(text)); }
  void set(std::string_view field, std::int64_t number);
  void set(std::string_view field, bool flag);

  // The object in `field`; nothing is set through it if there is none. `make` creates an absent one.
  Defaults at(std::string_view field) const;
  Defaults make(std::string_view field);

  bool has(std::string_view field) const;
  std::string text(std::string_view field) const;

  // Copies the fields of `from` that are absent here.
  void copy_all(const Defaults& from);

  void each(std::string_view field, const std::function<void(Defaults)>& visit) const;

 private:
  explicit Defaults(Json* object) : object_(object) {}
  Json* find(std::string_view field) const;  // null if absent, null or no object
  template <typename T>
  void put(std::string_view field, T value);

  Json* object_;  // null: sets nothing
};

}  // namespace tidegate::resource
