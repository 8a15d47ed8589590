#include "resource/toleration.h"

namespace tidegate::resource {

bool tolerates(const Toleration& toleration, const Taint& taint) {
  if (!toleration.effect.empty() && toleration.effect != taint.effect) return false;
  // Without a key it is for every taint, and that takes Exists.
  if (toleration.op == "Exists") return toleration.key.empty() || toleration.key == taint.key;
  return toleration.key == taint.key && toleration.value == taint.value;
}

}  // namespace tidegate::resource
