#include "control/loop/decision.h"

#include <nlohmann/json.hpp>

#include "resource/fields.h"

namespace tidegate::loop {
namespace {

cluster::Key key_in(const resource::Json& document) {
  std::string name = resource::text(document, "metadata.name");
  if (name.empty()) name = resource::text(document, "metadata.generateName") + "*";
  return {resource::text(document, "metadata.namespace"), std::move(name)};
}

Action with_document(Action::Verb verb, const resource::Kind& kind, resource::Json document,
                     std::string why) {
  Action action{verb, &kind, key_in(document), nullptr, {}, {}, false, std::move(why)};
  action.document = std::make_shared<const resource::Json>(std::move(document));
  return action;
}

}  // namespace

Action Action::create(const resource::Kind& kind, resource::Json document, std::string why) {
  return with_document(Verb::kCreate, kind, std::move(document), std::move(why));
}

Action Action::update(const resource::Kind& kind, resource::Json document, std::string why) {
  return with_document(Verb::kUpdate, kind, std::move(document), std::move(why));
}

Action Action::update_status(const resource::Kind& kind, resource::Json document, std::string why) {
  return with_document(Verb::kUpdateStatus, kind, std::move(document), std::move(why));
}

Action Action::patch(const resource::Kind& kind, const resource::Object& object, resource::Json merge,
                     std::string why) {
  auto document = std::make_shared<const resource::Json>(std::move(merge));
  return {Verb::kPatch, &kind, cluster::key_of(object), std::move(document), {}, {}, false, std::move(why)};
}

Action Action::remove(const resource::Kind& kind, const resource::Object& object, std::string why) {
  return {Verb::kRemove, &kind,         cluster::key_of(object), nullptr, object.metadata().uid, {},
          false,         std::move(why)};
}

Action Action::bind(const resource::Kind& pod_kind, const resource::Object& pod, std::string node,
                    std::string why) {
  return {Verb::kBind, &pod_kind, cluster::key_of(pod), nullptr, {}, std::move(node), false, std::move(why)};
}

Action Action::scale(cluster::Reference target, std::int64_t replicas, std::string why) {
  Action action{Verb::kScale, nullptr, target.key, nullptr, {}, {}, false, std::move(why)};
  action.target = std::make_shared<const cluster::Reference>(std::move(target));
  action.replicas = replicas;
  return action;
}

Action Action::at_once() && {
  now = true;
  return std::move(*this);
}

Action Action::saying(cluster::EventNote when_done, std::optional<cluster::EventNote> when_failed) && {
  done = std::move(when_done);
  failed = std::move(when_failed);
  return std::move(*this);
}

}  // namespace tidegate::loop
