// CustomResourceDefinitions: what is right about one, and what its status says.
//
// A definition of a kind that is built in changes nothing: that kind is served already, by its own rules, which are not
// compared with the definition's.
//
// Thread: pure; any thread.
// Source: apiextensions.k8s.io/v1; k8s.io/apiextensions-apiserver validation and naming controller.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "resource/kind.h"
#include "resource/kind_set.h"

namespace tidegate::resource {

// What holds a definition that is being deleted until the last of its objects has gone.
inline constexpr const char* kDefinitionFinalizer = "customresourcecleanup.apiextensions.k8s.io";

Kind custom_resource_definition_kind();

bool is_definition(const Kind& kind);

// Whether a CustomResourceDefinition is one of a kind that is served here anyway.
bool defines_built_in(const Json& definition);

// Why the names of a definition cannot be served beside `others`, as `"foos" is already in use`; empty if they can.
std::string name_conflict(const Json& definition, const KindSet& others);

// Writes conditions, acceptedNames and storedVersions. `conflict`: as above. The same arguments give the same status.
void set_definition_status(Json& definition, const std::string& conflict, std::string_view now);

// Says that a definition is being deleted.
void set_terminating(Json& definition, std::string_view now);

// What whoever creates this definition should know: rules and conversions that are kept and not followed here.
std::vector<std::string> definition_notices(const Json& definition);

}  // namespace tidegate::resource
