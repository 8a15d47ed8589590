// ASMMeshConfig: the mesh-wide switches. Cluster-scoped, one object named "default" that exists from the
// start.
//
// Only the switch of the inference extension acts here; the other fields of the real kind are stored and left
// alone.
//
// Thread: immutable once read; any thread.
// Source: Alibaba Cloud Service Mesh, "Configure canary release policies for Multi-LoRA models".

#pragma once

#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::resource {

struct ASMMeshConfig {
  bool inference_enabled = true;  // unset counts as on; false turns pools off

  // Errors: kInvalid with the field.
  static Result<ASMMeshConfig> from(const Object& object);
};

Kind asm_mesh_config_kind();

// The object that exists from the start.
Json default_asm_mesh_config();

}  // namespace tidegate::resource
