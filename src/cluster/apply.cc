#include "cluster/apply.h"

#include <openssl/evp.h>

#include <array>
#include <nlohmann/json.hpp>

#include "resource/json.h"

namespace tidegate::cluster {
namespace {

// kubectl's annotation is left out when it would not fit beside others.
constexpr std::size_t kLastAppliedMax = 128 * 1024;

std::string hex(const unsigned char* bytes, std::size_t count) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

const Json* annotation(const Json& object, std::string_view name) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return nullptr;
  const auto annotations = metadata->find("annotations");
  if (annotations == metadata->end() || !annotations->is_object()) return nullptr;
  const auto found = annotations->find(name);
  return found == annotations->end() || !found->is_string() ? nullptr : &*found;
}

// The document as it is sent: without what only the server knows, with the record of what was applied.
Json with_record(const Kind& kind, const Json& document, const std::string& document_digest,
                 const ApplyOptions& options) {
  Json sent = document;
  Json& metadata = sent["metadata"];
  for (const char* field :
       {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"}) {
    metadata.erase(field);
  }
  if (kind.namespaced && !metadata.contains("namespace")) metadata["namespace"] = "default";
  if (metadata.contains("annotations") && metadata["annotations"].is_null()) metadata.erase("annotations");
  if (metadata.contains("annotations") && !metadata["annotations"].is_object())
    return sent;  // refused on admission
  std::string last = resource::to_text(sent) + "\n";
  Json& annotations = metadata["annotations"];
  if (annotations.is_null()) annotations = Json::object();
  if (last.size() <= kLastAppliedMax) annotations[std::string(kLastAppliedAnnotation)] = std::move(last);
  annotations[std::string(kDigestAnnotation)] = document_digest;
  if (!options.origin.empty()) annotations[std::string(kOriginAnnotation)] = options.origin;
  return sent;
}

Json last_applied(const resource::Object& object) {
  const Json* text = annotation(object.json(), kLastAppliedAnnotation);
  if (text == nullptr) return Json::object();
  auto parsed = resource::parse_json(text->get_ref<const std::string&>());
  return parsed && parsed->is_object() ? *std::move(parsed) : Json::object();
}

}  // namespace

std::string digest(const Json& document) {
  const std::string text = resource::to_text(document);
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int count = 0;
  EVP_Digest(text.data(), text.size(), bytes.data(), &count, EVP_sha256(), nullptr);
  return hex(bytes.data(), 16);
}

Json three_way_patch(const Json& last, const Json& next) {
  Json patch = Json::object();
  if (last.is_object()) {
    for (const auto& member : last.items()) {
      if (!next.contains(member.key())) patch[member.key()] = nullptr;
    }
    // Others write labels and annotations too: when ours have all gone, theirs stay.
    for (const char* shared : {"labels", "annotations"}) {
      const auto before = last.find(shared);
      if (before != last.end() && before->is_object() && !next.contains(shared)) {
        patch[shared] = three_way_patch(*before, Json::object());
      }
    }
  }
  for (const auto& member : next.items()) {
    const Json& value = member.value();
    if (!value.is_object()) {
      patch[member.key()] = value;
      continue;
    }
    const auto before = last.is_object() ? last.find(member.key()) : last.end();
    const bool had = last.is_object() && before != last.end() && before->is_object();
    patch[member.key()] = three_way_patch(had ? *before : Json::object(), value);
  }
  return patch;
}

Result<ApplyResult> apply(Client& client, const Kind& kind, const Json& document,
                          const ApplyOptions& options) {
  const std::string document_digest = digest(document);
  const Json sent = with_record(kind, document, document_digest, options);
  const Json& metadata = sent["metadata"];
  const Key key{kind.namespaced ? metadata.value("namespace", "default") : std::string(),
                metadata.value("name", "")};
  auto current = client.get(kind, key);
  if (!current && current.error().code == Code::kNotFound) {
    auto created = client.create(kind, sent);
    if (!created) return tl::unexpected(created.error());
    return ApplyResult{Applied::kCreated, *std::move(created)};
  }
  if (!current) return tl::unexpected(current.error());
  const Json* before = annotation((*current)->json(), kDigestAnnotation);
  if (options.once && before != nullptr && *before == document_digest) {
    const Json* origin = annotation((*current)->json(), kOriginAnnotation);
    if (options.origin.empty() || (origin != nullptr && *origin == options.origin)) {
      return ApplyResult{Applied::kUnchanged, *std::move(current)};
    }
    // The same document in another file: only that is new.
    Json moved;
    moved["metadata"]["annotations"][std::string(kOriginAnnotation)] = options.origin;
    auto patched = client.patch(kind, key, PatchType::kMerge, moved);
    if (!patched) return tl::unexpected(patched.error());
    return ApplyResult{Applied::kUnchanged, *std::move(patched)};
  }
  Json patch = three_way_patch(last_applied(**current), sent);
  patch.erase("status");
  auto patched = client.patch(kind, key, PatchType::kMerge, patch);
  if (!patched) return tl::unexpected(patched.error());
  const bool same = (*patched)->metadata().resource_version == (*current)->metadata().resource_version;
  return ApplyResult{same ? Applied::kUnchanged : Applied::kConfigured, *std::move(patched)};
}

}  // namespace tidegate::cluster
