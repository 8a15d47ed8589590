// JSON or YAML whose writer set a key twice: read as Kubernetes reads it, where the last value counts.
//
// Thread: pure; any thread.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/object.h"
#include "resource/yaml.h"

namespace tidegate::resource {

// As parse_json(), but keys that are there twice are no error; their paths ("spec.ports[0].name") are put
// into `duplicates`, at most 100 of them.
Result<Json> parse_json_last_wins(std::string_view text, std::vector<std::string>& duplicates);

// As parse_documents(), with `line 4: key "a" already set in map` in `duplicates`, or
// `duplicate field "a.b"` where the text is JSON.
Result<std::vector<Document>> parse_documents_last_wins(std::string_view file, std::string_view text,
                                                        std::vector<std::string>& duplicates);

}  // namespace tidegate::resource
