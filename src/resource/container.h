// How one container of a pod is read; pod.h has the structs.
//
// Thread: pure; any thread.

#pragma once

#include "resource/defaults.h"
#include "resource/pod.h"
#include "resource/reader.h"

namespace tidegate::resource {

Container read_container(Reader& item);
void set_container_defaults(Defaults container);

}  // namespace tidegate::resource
