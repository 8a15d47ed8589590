// The two texts that the catalogue is made from; see the top of types_table.cc and about_table.cc for their
// form.
//
// Thread: constant; any thread.

#pragma once

#include <span>
#include <string_view>

namespace tidegate::schema {

std::span<const std::string_view> types_table();  // one text per package
std::string_view about_table();

}  // namespace tidegate::schema
