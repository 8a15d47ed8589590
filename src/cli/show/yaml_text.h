// A document as YAML, for people and for `apply -f`: what resource/yaml.h reads back is the same document,
// and so do YAML 1.1 readers, to whom yes and 0x10 are no texts unless quoted.
//
// Thread: pure.

#pragma once

#include <string>

#include "resource/object.h"

namespace tidegate::show {

std::string to_yaml(const resource::Json& json);

}  // namespace tidegate::show
